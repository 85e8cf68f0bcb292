"use strict";
(() => {
  const root = document.documentElement;
  const kept = (theme) => {
    try { if (theme) localStorage.setItem("theme", theme); return localStorage.getItem("theme"); }
    catch { return null; }
  };
  const theme = kept();
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;

  const toggle = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    kept(root.dataset.theme);
  };

  // What a link leads to may lie in something folded.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    const row = target.closest("tr[hidden]");
    if (row) row.hidden = false;
    target.scrollIntoView({ block: "center" });
  };

  const filter = (tools) => {
    const table = document.getElementById(tools.dataset.filter);
    const rows = [...table.tBodies[0].rows];
    let texts;
    const said = tools.querySelector("output");
    const apply = () => {
      const words = tools.querySelector("input[type=search]").value.toLowerCase().split(/\s+/).filter(Boolean);
      const unfold = tools.querySelector("input[type=checkbox]")?.checked;
      const chosen = [...tools.querySelectorAll("select")].filter((each) => each.value);
      if (words.length) texts ??= rows.map((row) => row.textContent.toLowerCase());
      let shown = 0;
      rows.forEach((row, i) => {
        const keep = (unfold || !("folded" in row.dataset)) && words.every((word) => texts[i].includes(word))
          && chosen.every((each) => row.dataset[each.name] === each.value);
        if (row.hidden === keep) row.hidden = !keep;
        shown += keep;
      });
      said.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
    };
    tools.addEventListener("input", apply);
    tools.addEventListener("change", apply);
    apply();
  };

  const sortable = (table) => {
    table.querySelectorAll("th button").forEach((button) => button.addEventListener("click", () => {
      const head = button.closest("th");
      const up = head.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("th").forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => {
        const cell = row.cells[head.cellIndex];
        const text = cell.dataset.value ?? cell.textContent.trim();
        return head.classList.contains("n") ? Number.parseFloat(text || "-1") : text;
      };
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row, i) => [value(row), i, row]);
      const order = head.classList.contains("n") ? (a, b) => a - b
        : (a, b) => a.localeCompare(b, "en", { numeric: true });
      rows.sort((a, b) => (up ? 1 : -1) * order(a[0], b[0]) || a[1] - b[1]);
      body.append(...rows.map((each) => each[2]));
    }));
  };

  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", toggle);
    document.querySelectorAll("[data-filter]").forEach(filter);
    document.querySelectorAll("table.sorts").forEach(sortable);
    document.querySelectorAll("[data-unfold]").forEach((button) =>
      button.addEventListener("click", () => {
        const all = [...document.getElementById(button.dataset.unfold).querySelectorAll("details")];
        const open = all.some((each) => !each.open);
        all.forEach((each) => { each.open = open; });
      }));
    reveal();
  });
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () =>
    document.querySelectorAll("details").forEach((each) => { each.open = true; }));
})();
