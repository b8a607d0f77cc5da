// The file of a lesson, as it is fetched or opened: what must be in it, and what is wrong with it.

import { fromAddress, isWord, SETTING_WORDS } from "./state.js";

const MAX_BYTES = 200_000;

// Each check takes a value and the name of its place, and returns what is wrong, or nothing.
const text = (most) => (value, place) => (typeof value === "string" && value.trim() && value.length <= most ? "" : `${place} must be text of 1 to ${most} characters`);
const whole = (low, high) => (value, place) => (Number.isInteger(value) && value >= low && value <= high ? "" : `${place} must be a whole number from ${low} to ${high}`);
const optional = (check) => Object.assign((value, place) => (value === undefined ? "" : check(value, place)), { isOptional: true });
const first = (faults) => faults.find(Boolean) ?? "";
const list = (check, least, most, one = "entry") => (value, place) => {
  if (!Array.isArray(value) || value.length < least || value.length > most) return `${place} must be a list of ${least} to ${most} entries`;
  return first(value.map((each, i) => check(each, one === "step" ? `step ${i + 1}` : `${place}, ${one} ${i + 1}`)));
};
const fields = (checks) => (value, place) => {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return `${place} must be an object`;
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(checks, name));
  if (unknown !== undefined) return `${place} has a field “${unknown}”, but may only have ${Object.keys(checks).join(", ")}`;
  return first(Object.entries(checks).map(([name, check]) => (name in value || check.isOptional ? check(value[name], `${name} of ${place}`) : `${place} must have a field “${name}”`)));
};
const word = (value, place) => (isWord(value) ? "" : `${place} must be a word in lowercase letters`);
const address = (value, place) => {
  if (typeof value !== "string") return `${place} must be text, as in the page’s address`;
  const unknown = [...new URLSearchParams(value).keys()].find((key) => !SETTING_WORDS.includes(key));
  return unknown === undefined ? "" : `${place} sets “${unknown}”, but there are only ${SETTING_WORDS.join(", ")}`;
};
const choices = list(text(300), 2, 6, "choice");
const answered = (value, place) => questionFields(value, place) || whole(1, value.choices.length)(value.answer, `answer of ${place}`);
const questionFields = fields({ text: text(600), choices, answer: whole(1, 6), why: text(1200) });

const checkLesson = fields({
  title: text(80),
  minutes: whole(1, 600),
  chapter: optional(text(100)), // of the tutorial
  settings: optional(address),
  hide: optional(list(word, 0, 60)),
  steps: list(
    fields({
      settings: optional(address), // over those of the lesson
      task: text(1200),
      predict: fields({ text: text(600), choices }),
      do: text(600),
      observe: text(600), // behind “Watch”
      question: answered,
      claims: optional(list(() => "", 0, 20)), // the package's tests check that they are true
    }),
    1, 20, "step",
  ),
});

function read(content, name) {
  let lesson;
  try {
    lesson = JSON.parse(content);
  } catch (error) {
    throw new Error(`${name} is not JSON: ${error.message}`);
  }
  const fault = checkLesson(lesson, "the lesson");
  if (fault) throw new Error(`${name} is not a valid lesson: ${fault}.`);
  return lesson;
}

export async function readFile(file) {
  if (file.size > MAX_BYTES) throw new Error(`${file.name} is too large for a lesson: at most ${MAX_BYTES / 1000} kB`);
  return read(await file.text(), file.name);
}

const fetched = {};
async function get(path) {
  const answer = await fetch(`lessons/${path}`);
  if (!answer.ok) throw new Error(`${path} was not found`);
  return answer.text();
}

// The names of the lessons, in order.
export const lessonNames = () => (fetched.names ??= get("index.json").then(JSON.parse));

export const lessonOf = (name) => (fetched[`${name}.json`] ??= get(`${name}.json`).then((content) => read(content, `${name}.json`)));

// The settings and the speed of a step, whose own words go over those of the lesson.
export function settingsAt({ settings = "", steps }, step) {
  const words = new URLSearchParams(settings);
  for (const [key, value] of new URLSearchParams(steps[step].settings ?? "")) words.set(key, value);
  return fromAddress(words.toString());
}
