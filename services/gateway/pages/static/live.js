// Shows a page anew when what it shows has changed. Without it the page is as complete, and as old as its load.
// Only what differs is touched: focus, selection, open parts, scrolling, and forms that somebody fills in stay.
"use strict";

const PAUSE = 200; // ms between two looks at a page that changes all the time
const AGAIN = 2000; // ms until a refused connection is tried again

const busy = (form) =>
  form.contains(document.activeElement) ||
  [...form.elements].some((one) =>
    one.type === "hidden" ? false
      : one.options ? [...one.options].some((each) => each.selected !== each.defaultSelected) && one.value !== one.options[0].value
      : "defaultValue" in one && one.value !== one.defaultValue);

const kept = (node) =>
  node.nodeType === Node.ELEMENT_NODE &&
  (node.matches("form") ? busy(node) : [...node.querySelectorAll("form")].some(busy));

const copyAttributes = (old, fresh) => {
  const own = (name) => name === "open" && old.matches("details");
  for (const { name } of [...old.attributes]) if (!own(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (!own(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
};

const key = (node) => node.id || (node.dataset && node.dataset.key) || "";

const counterpart = (parent, at, fresh) => {
  const wanted = key(fresh);
  if (wanted) return [...parent.children].find((one) => key(one) === wanted && one.nodeName === fresh.nodeName);
  return at && at.nodeName === fresh.nodeName && !key(at) ? at : undefined;
};

const place = (parent, node, at) => {
  if (parent.moveBefore && node.isConnected) parent.moveBefore(node, at); // keeps focus, where there is such a thing
  else parent.insertBefore(node, at);
};

const become = (old, fresh) => {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.matches("form") && busy(old)) return;
  copyAttributes(old, fresh);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const found = counterpart(old, at, wanted);
    if (!found) place(old, document.adoptNode(wanted), at);
    else {
      if (found === at) at = at.nextSibling;
      else place(old, found, at);
      become(found, wanted);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    if (!kept(gone)) gone.remove();
  }
};

const follow = (said) => {
  let looking = false;
  let again = false;
  const say = (text) => { if (said.textContent !== text) said.textContent = text; };

  const look = async () => {
    if (looking) { again = true; return; }
    looking = true;
    again = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) { location.reload(); return; } // the session has ended
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      become(document.querySelector("main"), fresh.querySelector("main"));
      document.title = fresh.title;
      say("live");
    } catch {
      say("not up to date");
    }
    setTimeout(() => { looking = false; if (again) look(); }, PAUSE);
  };

  const listen = () => {
    const source = new EventSource("/live"); // tells where the views are at once, and whenever they move
    source.addEventListener("moved", look);
    source.addEventListener("error", () => {
      say("connecting again");
      if (source.readyState === EventSource.CLOSED) setTimeout(() => { look(); listen(); }, AGAIN);
    });
  };
  listen();
};

document.addEventListener("input", ({ target }) => {
  const shown = target.matches("[type=range]") && target.form.querySelector("output");
  if (shown) shown.textContent = target.value;
});
document.addEventListener("pointerup", ({ target }) => {
  if (target.matches("form[data-submits] [type=range]") && target.value !== target.defaultValue) target.form.requestSubmit();
});
if (document.body.hasAttribute("data-live")) follow(document.getElementById("live"));
