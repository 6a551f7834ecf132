import type { Producer } from "../src";

/** Names come from strangers. */
const MAX_NAME_LENGTH = 60;

/** What to call a producer: what it calls itself, or the beginning of its id. */
export function producerName({ id, meta }: Producer): string {
  if (typeof meta === "object" && meta !== null) {
    const { "display-name": displayName, name } = meta as Record<string, unknown>;
    for (const candidate of [displayName, name]) {
      if (typeof candidate === "string" && candidate.trim() !== "") return shorten(candidate.trim());
    }
  }
  return `Stream ${id.slice(0, 8)}`;
}

/** Cuts between characters as people see them. */
function shorten(name: string): string {
  const characters = [...new Intl.Segmenter().segment(name)].map(({ segment }) => segment);
  return characters.length > MAX_NAME_LENGTH ? `${characters.slice(0, MAX_NAME_LENGTH - 1).join("")}…` : name;
}
