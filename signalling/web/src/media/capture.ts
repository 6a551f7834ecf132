import { Reason, WeirError } from "../errors";

/** The camera, and the microphone unless `audio` is false. Fails with a {@link WeirError}. */
export async function captureCamera(constraints: MediaStreamConstraints = {}): Promise<MediaStream> {
  const devices = mediaDevices();
  return explain("camera", () => devices.getUserMedia({ video: true, audio: true, ...constraints }));
}

/** A screen, window or tab of the user's choice, with its sound where there is one. Fails with a {@link WeirError}. */
export async function captureScreen(options: DisplayMediaStreamOptions = {}): Promise<MediaStream> {
  const devices = mediaDevices();
  if (!("getDisplayMedia" in devices)) {
    throw new WeirError(Reason.Unsupported, "This browser cannot share the screen.");
  }
  return explain("screen", () => devices.getDisplayMedia({ video: true, audio: true, ...options }));
}

function mediaDevices(): MediaDevices {
  // The types say that it is always there; browsers hide it from pages of insecure origins.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices) return devices;
  throw new WeirError(
    Reason.Unsupported,
    isSecureContext
      ? "This browser cannot capture a camera or a screen."
      : "Browsers give cameras and screens only to pages from HTTPS or from this same machine.",
  );
}

async function explain(what: string, capture: () => Promise<MediaStream>): Promise<MediaStream> {
  try {
    return await capture();
  } catch (cause) {
    throw explanation(what, cause);
  }
}

function explanation(what: string, cause: unknown): WeirError {
  const name = cause instanceof DOMException ? cause.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return new WeirError(Reason.PermissionDenied, `The browser was not allowed to use the ${what}.`, {
        cause,
      });
    case "NotFoundError":
    case "OverconstrainedError":
      return new WeirError(Reason.NoDevice, `There is no ${what} that could be used.`, { cause });
    case "NotReadableError":
    case "AbortError":
      return new WeirError(
        Reason.DeviceBusy,
        `The ${what} cannot be read. Perhaps another program uses it.`,
        { cause },
      );
    default: {
      const details = cause instanceof Error ? cause.message : String(cause);
      return new WeirError(Reason.Unsupported, `The ${what} cannot be captured: ${details}`, { cause });
    }
  }
}
