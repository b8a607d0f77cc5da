// A lesson: step by step, what to predict, to do and to watch, and a question at the end of each.

import { $, element } from "../dom.js";
import { lessonNames, lessonOf, readFile, settingsAt } from "../lesson_file.js";
import { keep, recall } from "../memory.js";
import { keepKnown } from "../state.js";

// How far the learner has come in each lesson: known to this browser alone.
const progress = {
  all: () => recall("lessons", {}),
  of: (name) => progress.all()[name] ?? { step: 0, isDone: false },
  keep: (name, changes) => {
    if (!name) return; // a file of one's own
    keep("lessons", { ...progress.all(), [name]: { ...progress.of(name), ...changes } });
  },
};

function button(text, onclick, className = "") {
  return Object.assign(element("button", className, text), { onclick });
}

export class Lesson {
  constructor(app) {
    this.app = app;
    this.name = ""; // none for a file of one's own
    this.lesson = null;
    this.forget();
    $("lesson-close").onclick = () => this.close();
    $("lesson-fold").onclick = () => this.fold($("lesson-fold").getAttribute("aria-expanded") === "true");
    $("lesson-set").onclick = () => this.setUp();
    $("lesson-back").onclick = () => this.begin(this.step - 1);
    $("lesson-all").onclick = () => this.hide(!this.hidesNow);
    $("lessons-open").onclick = () => this.offer();
    $("lessons-close").onclick = () => $("lessons-dialog").close();
    $("open-lesson").onchange = () => {
      if ($("open-lesson").files.length) this.onLessonFile($("open-lesson").files[0]);
      $("open-lesson").value = "";
    };
  }

  // Where the address names another lesson than the one that is open.
  onSettings() {
    const { lesson, saysSettings } = this.app;
    if (lesson === this.name) return;
    if (lesson) this.openNamed(lesson, !saysSettings);
    else this.close();
  }

  async openNamed(name, isSetUp = true) {
    this.name = this.app.lesson = name;
    try {
      const names = await lessonNames();
      if (!names.includes(name)) throw new Error(`There is no lesson “${name}”.`);
      this.open(name, await lessonOf(name), isSetUp);
    } catch (error) {
      this.close();
      this.offer(error.message);
    }
  }

  async onLessonFile(file) {
    try {
      this.open("", await readFile(file), true);
    } catch (error) {
      this.offer(error.message);
    }
  }

  open(name, lesson, isSetUp) {
    $("lessons-dialog").close();
    Object.assign(this, { name, lesson });
    this.app.lesson = name;
    document.body.classList.add("in-lesson");
    $("lesson").hidden = false;
    $("lesson-title").textContent = lesson.title;
    $("lesson-all").hidden = !lesson.hide?.length;
    this.hide(true);
    this.fold(false);
    const { step, isDone } = progress.of(name);
    this.begin(isDone ? 0 : Math.min(step, lesson.steps.length - 1), isSetUp);
  }

  close() {
    Object.assign(this, { name: "", lesson: null });
    this.app.lesson = "";
    this.app.write();
    document.body.classList.remove("in-lesson", "is-folded");
    $("lesson").hidden = true;
    this.forget();
    this.hide(false);
    $("lessons-open").focus({ preventScroll: true });
  }

  fold(isFolded) {
    $("lesson-fold").setAttribute("aria-expanded", !isFolded);
    $("lesson-fold").textContent = isFolded ? "Unfold" : "Fold";
    document.body.classList.toggle("is-folded", isFolded);
  }

  hide(hidesNow) {
    this.hidesNow = hidesNow;
    $("lesson-all").textContent = hidesNow ? "Show all controls" : "Show fewer controls";
    this.app.pass("lessonHides", hidesNow ? (this.lesson.hide ?? []) : []);
  }

  // A step ---------------------------------------------------------------------------------------

  forget() {
    Object.assign(this, { hasPredicted: false, isAsked: false });
    document.body.classList.remove("lesson-ready");
  }

  begin(step, isSetUp = true) {
    const { steps } = this.lesson;
    this.step = step;
    this.forget();
    progress.keep(this.name, { step });
    const { task, predict } = steps[step];
    const bar = element("span", "bar");
    bar.setAttribute("aria-hidden", "true");
    bar.append(...steps.map((_, i) => element("i", i < step ? "past" : i === step ? "now" : "")));
    const count = element("p", "lesson-count", `Step ${step + 1} of ${steps.length}`);
    count.append(bar);
    $("lesson-body").replaceChildren(count, element("p", "", task));
    $("lesson-back").hidden = step === 0;
    this.add("Your prediction", predict.text, [this.choices(predict.choices, (chosen) => this.predict(chosen))], "predict");
    $("lesson-title").focus({ preventScroll: true });
    $("lesson").scrollTop = 0;
    if (isSetUp) this.setUp();
    else this.app.write();
  }

  setUp() {
    const { settings, speed } = settingsAt(this.lesson, this.step);
    const { app } = this;
    keepKnown(settings, app.known);
    app.setSpeed(speed);
    app.set(settings);
    requestAnimationFrame(() => app.say("reset")); // after the settings
  }

  add(title, text, parts, className) {
    const block = element("div", `lesson-block ${className}`);
    block.append(element("h3", "", title), element("p", "", text), ...parts);
    $("lesson-body").append(block);
    block.scrollIntoView({ block: "nearest" });
    return block;
  }

  // Buttons, of which `onChoose` gets the text and the number from 1, and the button itself.
  choices(texts, onChoose) {
    const group = element("div", "choices");
    group.append(...texts.map((text, i) => {
      const choice = button(text, () => onChoose(choice, i + 1), "choice");
      choice.setAttribute("aria-pressed", "false");
      return choice;
    }));
    return group;
  }

  predict(chosen) {
    for (const each of chosen.parentElement.children) each.setAttribute("aria-pressed", each === chosen);
    if (this.hasPredicted) return; // and thinks again
    this.hasPredicted = true;
    const step = this.lesson.steps[this.step];
    this.play = button("▶ Play", () => $("play").click(), "strong");
    const watch = element("p", "", ` ${step.observe}`);
    watch.prepend(element("b", "", "Watch"));
    const row = element("div", "row");
    row.append(this.play);
    this.add("Try it", step.do, [watch, row], "try");
    document.body.classList.add("lesson-ready");
  }

  onFrame({ n_complete: n, step, is_playing: isPlaying }) {
    if (!this.hasPredicted) return;
    this.play.textContent = isPlaying ? "❚❚ Pause" : "▶ Play";
    if (this.isAsked || !(n || step)) return;
    this.isAsked = true;
    $("lesson-body").querySelector(".predict").classList.add("is-past");
    document.body.classList.remove("lesson-ready");
    const { question } = this.lesson.steps[this.step];
    this.reply = element("p", "lesson-reply");
    const choices = this.choices(question.choices, (chosen, i) => this.answer(chosen, i, question));
    this.asked = this.add("Explain", question.text, [choices, this.reply], "ask");
  }

  answer(chosen, i, { answer, why }) {
    chosen.setAttribute("aria-pressed", "true");
    const isRight = i === answer;
    chosen.classList.add(isRight ? "right" : "wrong");
    if (!isRight) {
      this.reply.textContent = "Not that one. Look again, and choose another.";
      return;
    }
    for (const each of chosen.parentElement.children) each.onclick = null;
    this.reply.textContent = why;
    this.reply.classList.add("why");
    this.asked.append(this.step + 1 < this.lesson.steps.length ? this.further() : this.end());
    this.asked.scrollIntoView({ block: "nearest" });
  }

  further() {
    const row = element("div", "row");
    row.append(button("Next step", () => this.begin(this.step + 1), "strong"));
    return row;
  }

  end() {
    progress.keep(this.name, { isDone: true });
    const { chapter } = this.lesson;
    const end = element("div", "lesson-end");
    end.append(element("p", "", `That was the lesson.${chapter ? ` You can read more in the tutorial, chapter ${chapter}.` : ""}`));
    const row = element("div", "row");
    row.append(button("All lessons", () => this.offer()));
    end.append(row);
    lessonNames().then((names) => {
      const next = names[names.indexOf(this.name) + 1];
      if (this.name && next) row.prepend(button("Next lesson", () => this.openNamed(next), "strong"));
    });
    return end;
  }

  // All lessons ----------------------------------------------------------------------------------

  async offer(fault = "") {
    $("lessons-fault").hidden = !fault;
    $("lessons-fault").textContent = fault;
    const names = await lessonNames();
    const lessons = await Promise.all(names.map(lessonOf));
    $("lessons").replaceChildren(...names.map((name, i) => this.row(name, lessons[i])));
    if (!$("lessons-dialog").open) $("lessons-dialog").showModal();
  }

  row(name, { title, minutes, steps }) {
    const { step, isDone } = progress.of(name);
    const state = isDone ? "✓ done" : step ? `at step ${step + 1} of ${steps.length}` : `${minutes} min`;
    const item = element("li");
    const row = button("", () => this.openNamed(name), "lesson-row");
    row.append(element("span", "", title), element("span", "hint", state));
    if (name === this.name) row.setAttribute("aria-current", "true");
    item.append(row);
    return item;
  }
}
