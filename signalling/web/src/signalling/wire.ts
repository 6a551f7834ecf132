/**
 * From JSON text to typed messages and back.
 *
 * The types are generated from the Rust definitions; what comes from the network is checked against them here,
 * by hand, so that nothing behind this file meets a value of a shape that it does not expect.
 */
import type { ClientMessage } from "../protocol/ClientMessage";
import type { Ice } from "../protocol/Ice";
import type { Participant } from "../protocol/Participant";
import type { PeerPayload } from "../protocol/PeerPayload";
import type { Role } from "../protocol/Role";
import type { Sdp } from "../protocol/Sdp";
import type { ServerMessage } from "../protocol/ServerMessage";

/** Longer messages are not looked at, in UTF-16 code units. A long list of producers may exceed a session's limit of 256 KiB. */
export const MAX_MESSAGE_LENGTH = 4 * 1024 * 1024;

/** The text frame that carries `message`. */
export function serialiseClientMessage(message: ClientMessage): string {
  return JSON.stringify(message);
}

/** The message in a text frame, or undefined if it is none that this version of the wire knows. */
export function parseServerMessage(text: string): ServerMessage | undefined {
  if (text.length > MAX_MESSAGE_LENGTH) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isObject(json) ? toServerMessage(json) : undefined;
}

function toServerMessage(json: JsonObject): ServerMessage | undefined {
  const { type, peerId, sessionId } = json;
  switch (type) {
    case "welcome":
      return isString(peerId) ? { type, peerId } : undefined;
    case "peerStatusChanged": {
      const roles = toRoles(json.roles);
      return isString(peerId) && roles ? { type, peerId, roles, meta: json.meta ?? null } : undefined;
    }
    case "sessionStarted":
      return isString(peerId) && isString(sessionId) ? { type, peerId, sessionId } : undefined;
    case "startSession": {
      const offer = toNullableString(json.offer);
      return isString(peerId) && isString(sessionId) && offer !== undefined
        ? { type, peerId, sessionId, offer }
        : undefined;
    }
    case "endSession":
      return isString(sessionId) ? { type, sessionId } : undefined;
    case "endSessionV1_1": {
      const error = toNullableString(json.error);
      return isString(sessionId) && error !== undefined ? { type, sessionId, error } : undefined;
    }
    case "peer": {
      const payload = toPayload(json);
      return isString(sessionId) && payload ? { type, sessionId, ...payload } : undefined;
    }
    case "list": {
      const producers = toParticipants(json.producers);
      return producers ? { type, producers } : undefined;
    }
    case "listConsumers": {
      const consumers = toParticipants(json.consumers);
      return consumers ? { type, consumers } : undefined;
    }
    case "error": {
      const { details, code } = json;
      if (!isString(details)) return undefined;
      return isString(code) ? { type, details, code } : { type, details };
    }
    default:
      return undefined;
  }
}

function toPayload(json: JsonObject): PeerPayload | undefined {
  const { sdp, ice } = json;
  if ((sdp === undefined) === (ice === undefined)) return undefined;
  if (ice === undefined) {
    const description = toSdp(sdp);
    return description && { sdp: description };
  }
  const candidate = toIce(ice);
  return candidate && { ice: candidate };
}

function toSdp(json: unknown): Sdp | undefined {
  if (!isObject(json)) return undefined;
  const { type, sdp } = json;
  return (type === "offer" || type === "answer") && isString(sdp) ? { type, sdp } : undefined;
}

function toIce(json: unknown): Ice | undefined {
  if (!isObject(json)) return undefined;
  const { candidate, sdpMLineIndex, sdpMid, usernameFragment } = json;
  if (!isString(candidate) || typeof sdpMLineIndex !== "number") return undefined;
  if (!Number.isInteger(sdpMLineIndex) || sdpMLineIndex < 0) return undefined;
  const ice: Ice = { candidate, sdpMLineIndex };
  if (isString(sdpMid)) ice.sdpMid = sdpMid;
  if (isString(usernameFragment)) ice.usernameFragment = usernameFragment;
  return ice;
}

function toRoles(json: unknown): Role[] | undefined {
  return Array.isArray(json) && json.every(isRole) ? json : undefined;
}

function toParticipants(json: unknown): Participant[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const participants: Participant[] = [];
  for (const item of json as unknown[]) {
    if (!isObject(item) || !isString(item.id)) return undefined;
    participants.push({ id: item.id, meta: item.meta ?? null });
  }
  return participants;
}

type JsonObject = Record<string, unknown>;

function isObject(json: unknown): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function isString(json: unknown): json is string {
  return typeof json === "string";
}

function isRole(json: unknown): json is Role {
  return json === "producer" || json === "listener" || json === "consumer";
}

/** null stands for an absent member too; undefined says that the value is of another type. */
function toNullableString(json: unknown): string | null | undefined {
  if (json === undefined || json === null) return null;
  return isString(json) ? json : undefined;
}
