/**
 * Where the page's connections go, and for whom.
 *
 * `config.json` beside the page says it: `url`, the WebSocket's address, and `sign_in`, one of
 *
 * - `local`: the server of the page mints a token for whoever asks (a deployment on this machine);
 * - `token`: the user pastes one, which the tab keeps until it is closed or the user signs out;
 * - `open`: the deployment believes a user id.
 */

import { SignInRefused, isUserId } from "./parley/chat-client.js";

const USER_ID_RULE = "A user id has 1 to 128 characters: letters without accents, digits and _ . @ : | + = -";

export async function loadConfig() {
  const response = await fetch("config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  return response.json();
}

/** What keeps a value from being a sign-in, in words for the user, or null. */
export function signInProblem(config, value) {
  if (config.sign_in === "token") return tokenProblem(value);
  return isUserId(value) ? null : USER_ID_RULE;
}

function tokenProblem(value) {
  if (!tab()) return "Your browser keeps nothing for this page, and so no connection token either.";
  return isUserId(claims(value).sub) ? null : "This is not a connection token.";
}

/** What is kept for the tab; null where the browser keeps nothing for the page. */
function tab() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}

/** The user that a sign-in speaks for. */
export function signIn(config, value) {
  if (config.sign_in !== "token") return value;
  const user = claims(value).sub;
  tab().setItem(tokenKey(user), value);
  return user;
}

/** Forgets what a user has signed in with. */
export function signOut(user) {
  tab()?.removeItem(tokenKey(user));
}

/**
 * What may be wrong with a sign-in when no connection comes about, in words for the user, or null. A browser is not
 * told why; `wasTaken` says that the deployment has taken this sign-in before.
 */
export function signInDoubt(config, user, wasTaken) {
  if (config.sign_in !== "token") return null;
  const { exp } = claims(tab()?.getItem(tokenKey(user)));
  if (exp * 1000 <= Date.now()) return "Your connection token has expired. What you write is sent with the next one.";
  return wasTaken ? null : "No connection. It may be that this deployment does not take your connection token.";
}

/** A function that gives the address of a new connection, or null if the user has to sign in first. */
export function addressFor(config, user) {
  if (config.sign_in === "open") return async () => withQuery(config.url, "userId", user);
  if (config.sign_in === "local") return async () => withQuery(config.url, "token", await mintedToken(user));
  const token = tab()?.getItem(tokenKey(user));
  return token && (async () => withQuery(config.url, "token", token));
}

async function mintedToken(user) {
  const response = await fetch("token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user }),
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

function tokenKey(user) {
  return `parley token ${user}`;
}

function withQuery(url, name, value) {
  const address = new URL(url);
  address.searchParams.set(name, value);
  return address.href;
}
