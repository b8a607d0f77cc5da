// What this browser keeps from one visit to the next, where it lets us: values of JSON by name.

export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // blocked, or damaged
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // it is not kept
  }
}
