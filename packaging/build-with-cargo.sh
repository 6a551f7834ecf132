#!/bin/sh
# Builds the plugin and the server with cargo and copies them to where meson expects them.
# Arguments: cargo, the source folder, cargo's target folder, its profile, the output folder,
# and what cargo shall build.
set -eu
cargo=$1 source=$2 target=$3 profile=$4 output=$(realpath -m "$5")
shift 5

cd "$source"
"$cargo" build --locked --profile "$profile" --target-dir "$target" "$@"

case $profile in
  dev) built=$target/debug ;;
  *) built=$target/$profile ;;
esac
cp "$built/libgstweir.so" "$built/weir-server" "$output/"
