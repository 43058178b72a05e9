/** Times in the zone and by the clock of the reader, and in the page's language. */

const DAY_MS = 86_400_000;
// The page is in English, and so are the names of its days; whose English, the reader says.
const LANGUAGE = navigator.languages.find((language) => /^en\b/i.test(language)) ?? "en-GB";
const { hourCycle } = new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions();
const time = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", hourCycle });
const weekday = new Intl.DateTimeFormat(LANGUAGE, { weekday: "long" });
const date = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "long", year: "numeric" });
const shortDate = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short" });
const fullDate = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "full" });

/** When the day of a time began. */
export function midnight(ts) {
  return new Date(ts).setHours(0, 0, 0, 0);
}

/** Whole days between the day of `ts` and today. Rounded: two days a year are an hour shorter or longer. */
function daysAgo(ts) {
  return Math.round((midnight(Date.now()) - midnight(ts)) / DAY_MS);
}

export function isToday(ts) {
  return daysAgo(ts) === 0;
}

export function timeOf(ts) {
  return time.format(ts);
}

export function fullTime(ts) {
  return `${fullDate.format(ts)}, ${time.format(ts)}`;
}

/** "Today", "Yesterday", "Monday" or "3 May 2026". */
export function dayOf(ts) {
  const days = daysAgo(ts);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  return days < 7 ? weekday.format(ts) : date.format(ts);
}

/** The time today, the day before that. */
export function briefly(ts) {
  const days = daysAgo(ts);
  if (days <= 0) return timeOf(ts);
  if (days === 1) return "Yesterday";
  return days < 7 ? weekday.format(ts) : shortDate.format(ts);
}

export function lastSeen(ts) {
  const days = daysAgo(ts);
  const day = days <= 0 ? "today" : days === 1 ? "yesterday" : `on ${days < 7 ? weekday.format(ts) : date.format(ts)}`;
  return `last seen ${day} at ${timeOf(ts)}`;
}
