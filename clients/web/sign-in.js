/**
 * Where the page's connections go, and for whom.
 *
 * `config.json` beside the page says it: `url`, the WebSocket's address; `token_in`, where a token goes in the handshake,
 * `query` or `subprotocol`; and `sign_in`, one of
 *
 * - `local`: the page's server mints a token for anyone who asks (a deployment on this machine);
 * - `token`: the user pastes one;
 * - `open`: the deployment does not check user ids.
 *
 * What a user signs in with is kept for the tab, until it is closed or the user signs out. A tab that nobody has signed
 * in with asks first, also where no secret is needed: a link could name any user.
 */

import { SignInRefused, USER_ID_RULE, isUserId } from "./parley/chat-client.js";

const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/; // a JWT in its compact form; all of it may stand in a subprotocol

export async function loadConfig() {
  const response = await fetch("config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  return response.json();
}

/** What keeps a value from being a user id, in words for the user, or null. */
export function userIdProblem(value) {
  if (isUserId(value)) return null;
  if (!value) return "Enter a user id.";
  const why = /\s/.test(value) ? ": it contains a space" : "";
  return `That is not a valid user id${why}. Use ${USER_ID_RULE}`;
}

/** What keeps a value from being a sign-in, in words for the user, or null. */
export function signInProblem(config, value) {
  return config.sign_in === "token" ? tokenProblem(value) : userIdProblem(value);
}

function tokenProblem(value) {
  if (!tab()) return "Your browser does not let this page store anything, so it cannot keep your connection token.";
  if (!value) return "Paste a connection token.";
  return TOKEN.test(value) && isUserId(claims(value).sub) ? null : "This is not a connection token.";
}

/** What is kept for the tab; null where the browser stores nothing for the page. */
function tab() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}

/** Signs a user in for this tab, and returns who that is. */
export function signIn(config, value) {
  const user = config.sign_in === "token" ? claims(value).sub : value;
  tab()?.setItem(keyOf(config, user), value);
  return user;
}

/** Forgets what a user has signed in with. */
export function signOut(config, user) {
  tab()?.removeItem(keyOf(config, user));
}

/** Whether somebody has signed in as this user in this tab. */
export function isSignedIn(config, user) {
  return kept(config, user) !== null;
}

/**
 * What may be wrong with a sign-in when no connection comes about, in words for the user, or null. A browser is not
 * told why; `wasTaken` says that the deployment has taken this sign-in before.
 */
export function signInDoubt(config, user, wasTaken) {
  if (config.sign_in !== "token") return null;
  const { exp } = claims(kept(config, user));
  if (exp * 1000 <= Date.now()) return "Your connection token has expired. What you write will be sent once you have a new one.";
  return wasTaken ? null : "No connection. This deployment may not accept your connection token.";
}

/** A function that gives the address of a new connection of a user who has signed in. */
export function addressFor(config, user) {
  if (config.sign_in === "open") return async () => withQuery(config.url, "userId", user);
  if (config.sign_in === "local") return async () => withQuery(config.url, "token", await mintedToken(config, user));
  const token = kept(config, user);
  if (config.token_in === "subprotocol") {
    return async () => ({ url: config.url, protocols: ["parley.v1", `bearer.${token}`] });
  }
  return async () => withQuery(config.url, "token", token);
}

async function mintedToken({ url }, user) {
  const response = await fetch("token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user, url }), // so that another deployment that has taken the port refuses
  });
  const answer = await response.json();
  if (response.ok) return answer.token;
  if (response.status < 500) throw new SignInRefused(answer.error);
  throw new Error(answer.error);
}

/** What a token says, `{}` if it is none. Only to show it: the server checks. */
function claims(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(payload)) ?? {};
  } catch {
    return {};
  }
}

function kept(config, user) {
  return tab()?.getItem(keyOf(config, user)) ?? null;
}

function keyOf({ sign_in: kind }, user) {
  return `parley ${kind} ${user}`;
}

function withQuery(url, name, value) {
  const address = new URL(url);
  address.searchParams.set(name, value);
  return address.href;
}
