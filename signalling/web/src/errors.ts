/** What went wrong, as an identifier that a program can decide by. */
export const Reason = {
  /** The signalling server's address is not one, or is not `ws:` or `wss:`. */
  BadAddress: "bad-address",
  /** The page came over HTTPS, and the browser forbids it to talk to a `ws:` server. */
  InsecureServer: "insecure-server",
  /** Nothing answers at the signalling server's address. */
  Unreachable: "unreachable",
  /** The connection to the signalling server broke. */
  Disconnected: "disconnected",
  /** The signalling server refused a request. */
  Refused: "refused",
  /** The producer is not there (any more). */
  ProducerGone: "producer-gone",
  /** The other side ended the session. */
  SessionEnded: "session-ended",
  /** The other side did not do its part in time. */
  Timeout: "timeout",
  /** A session description could not be made or applied. */
  Negotiation: "negotiation",
  /** The peers found no working network path, or lost it. */
  NetworkPath: "network-path",
  /** The browser or its user said no to a camera, a microphone or the screen. */
  PermissionDenied: "permission-denied",
  /** There is no camera, or none that fits. */
  NoDevice: "no-device",
  /** The device is there and cannot be read, usually because another program holds it. */
  DeviceBusy: "device-busy",
  /** This browser, or this page's origin, does not have the feature. */
  Unsupported: "unsupported",
  /** The object was closed. */
  Closed: "closed",
  /** This client publishes already; a client is one producer. */
  AlreadyPublishing: "already-publishing",
} as const;

/** One of the values of {@link Reason}. */
export type Reason = (typeof Reason)[keyof typeof Reason];

/** An error with a sentence for people (`message`) and an identifier for programs (`reason`). */
export class WeirError extends Error {
  override readonly name = "WeirError";
  readonly reason: Reason;
  /** The server's or the other side's own identifier of what went wrong, where it gave one. */
  readonly code?: string;

  constructor(
    reason: Reason,
    message: string,
    options?: ErrorOptions & { readonly code?: string | undefined },
  ) {
    super(message, options);
    this.reason = reason;
    if (options?.code !== undefined) this.code = options.code;
  }

  static badAddress(address: string): WeirError {
    return new WeirError(
      Reason.BadAddress,
      `“${address}” is not the address of a signalling server. It has to look like ws://host:8443/ or wss://host:8443/.`,
    );
  }

  static insecureServer(address: string): WeirError {
    return new WeirError(
      Reason.InsecureServer,
      `This page came over HTTPS, so the browser does not let it connect to ${address}. Use a wss:// address.`,
    );
  }

  static unreachable(address: string): WeirError {
    return new WeirError(Reason.Unreachable, `The signalling server at ${address} cannot be reached.`);
  }

  static silent(address: string): WeirError {
    return new WeirError(Reason.Unreachable, `The signalling server at ${address} does not answer.`);
  }

  static disconnected(address: string): WeirError {
    return new WeirError(
      Reason.Disconnected,
      `The connection to the signalling server at ${address} was lost.`,
    );
  }

  static refused(details: string, code?: string): WeirError {
    return new WeirError(Reason.Refused, `The signalling server refused: ${details}`, { code });
  }

  static producerGone(): WeirError {
    return new WeirError(Reason.ProducerGone, "The producer is not there. Waiting for it to come back.");
  }

  /** @param reason what came with the end, in the form `code: sentence`, or a sentence alone. */
  static sessionEnded(reason?: string): WeirError {
    if (reason === undefined) return new WeirError(Reason.SessionEnded, "The other side ended the session.");
    const [, code, sentence] = /^(?:([a-z][a-z0-9-]*): )?(.*)$/s.exec(reason) ?? [];
    return new WeirError(Reason.SessionEnded, `The other side ended the session: ${sentence ?? ""}`, {
      code,
    });
  }

  static timeout(what: string): WeirError {
    return new WeirError(Reason.Timeout, what);
  }

  static negotiation(details: string): WeirError {
    return new WeirError(Reason.Negotiation, `The media could not be agreed upon: ${details}`);
  }

  static networkPath(): WeirError {
    return new WeirError(
      Reason.NetworkPath,
      "There is no working network path to the other side. A firewall may be in the way.",
    );
  }

  static closed(): WeirError {
    return new WeirError(Reason.Closed, "It was closed.");
  }

  static alreadyPublishing(): WeirError {
    return new WeirError(
      Reason.AlreadyPublishing,
      "This client publishes already. Use one client for each thing to publish.",
    );
  }
}
