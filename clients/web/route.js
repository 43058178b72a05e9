/**
 * The address bar says who and with whom: `#/alice/bob`. So a reload, a bookmark and the Back button do what one
 * expects.
 *
 * Each entry of the history knows how many entries are between it and the list, so that to close a chat is to go back.
 */

import { isUserId } from "./parley/chat-client.js";

export function route() {
  const [, user, peer] = location.hash.split("/").map(decoded);
  return { user: isUserId(user) ? user : null, peer: isUserId(peer) ? peer : null };
}

export function addressOf(user, peer = null) {
  return ["#", ...[user, peer].filter((part) => part !== null).map(encodeURIComponent)].join("/");
}

/** Leads to another user's page, or with "" to the sign-in. */
export function goTo(user) {
  location.hash = addressOf(user);
}

/** Leads to a chat. */
export function openChat(user, peer) {
  const isBehindList = route().peer === null;
  const above = isBehindList ? 0 : (history.state?.aboveList ?? NaN);
  location.hash = addressOf(user, peer);
  history.replaceState({ aboveList: above + 1 }, "");
}

/** Leads to the list: back, if one has come from there. */
export function closeChat(user) {
  const { aboveList } = history.state ?? {};
  if (aboveList) history.go(-aboveList);
  else location.replace(addressOf(user));
}

/** A part of the address; null where it is none. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
