// Shows a page anew when what it shows has changed. Without it the page is as complete, and as old as its load.
"use strict";
(() => {
  if (!document.body.hasAttribute("data-live")) return;
  const said = document.getElementById("live");
  let waiting = false;
  let again = false;

  const busy = () => {
    const at = document.activeElement;
    return at && at.closest("main") && at.matches("input:not([type=submit]), textarea, select");
  };

  const refresh = async () => {
    if (waiting) { again = true; return; }
    if (busy()) { document.activeElement.addEventListener("blur", refresh, { once: true }); return; }
    waiting = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const before = document.querySelector("main");
      const after = fresh.querySelector("main");
      if (after && before.innerHTML !== after.innerHTML) {
        const focused = document.activeElement && document.activeElement.id;
        for (const open of before.querySelectorAll("details[open][id]")) {
          const same = after.querySelector("#" + CSS.escape(open.id));
          if (same) same.open = true;
        }
        before.replaceWith(after);
        if (focused) { const same = document.getElementById(focused); if (same) same.focus({ preventScroll: true }); }
      }
      said.textContent = "live";
    } catch (problem) {
      said.textContent = "not up to date";
    } finally {
      waiting = false;
      if (again) { again = false; refresh(); }
    }
  };

  const source = new EventSource("/live");
  source.addEventListener("moved", refresh);
  source.addEventListener("open", () => { said.textContent = "live"; refresh(); });
  source.addEventListener("error", () => { said.textContent = "connecting again"; });
})();
