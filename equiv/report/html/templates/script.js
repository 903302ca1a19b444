"use strict";
(() => {
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));

  // A packet: choosing a field, or passing over it, marks its bytes; passing over a byte marks its fields.
  for (const packet of all(".packet")) {
    const fields = all("button.field", packet);
    const bytes = new Map(all("[data-at]", packet).map((byte) => [Number(byte.dataset.at), byte]));
    const covers = (field, at) => Number(field.dataset.first) <= at && at <= Number(field.dataset.last);
    const light = (field) => {
      for (const [at, byte] of bytes) byte.classList.toggle("lit", field !== undefined && covers(field, at));
    };
    const chosen = () => fields.find((field) => field.getAttribute("aria-pressed") === "true");
    fields.forEach((field, number) => {
      field.tabIndex = number ? -1 : 0;
      field.addEventListener("click", () => {
        const on = field.getAttribute("aria-pressed") !== "true";
        for (const other of fields) other.setAttribute("aria-pressed", "false");
        field.setAttribute("aria-pressed", String(on));
        light(on ? field : undefined);
      });
      field.addEventListener("pointerenter", () => light(field));
      field.addEventListener("pointerleave", () => light(chosen()));
      field.addEventListener("focus", () => {
        for (const other of fields) other.tabIndex = other === field ? 0 : -1;
        light(field);
      });
      field.addEventListener("blur", () => light(chosen()));
      field.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        const target = step ? fields[number + step] : { Home: fields[0], End: fields[fields.length - 1] }[event.key];
        if (!target) return;
        event.preventDefault();
        target.focus();
      });
    });
    for (const [at, byte] of bytes) {
      const mine = fields.filter((field) => covers(field, at));
      byte.addEventListener("pointerenter", () => mine.forEach((field) => field.classList.add("lit")));
      byte.addEventListener("pointerleave", () => mine.forEach((field) => field.classList.remove("lit")));
    }
  }

  // A drawing that is wider than its place begins where the path does; it can be made to fit.
  for (const figure of all("figure.graph")) {
    const place = figure.querySelector(".scroll");
    const drawing = figure.querySelector("svg");
    if (!drawing) continue;
    const start = drawing.querySelector(".node.start");
    const wide = drawing.width.baseVal.value > place.clientWidth + 1;
    const high = drawing.height.baseVal.value > place.clientHeight + 1;
    if (!wide && !high) continue;
    if (wide && start) {
      const box = start.getBBox();
      place.scrollLeft = box.x + box.width / 2 - place.clientWidth / 2;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fit";
    button.textContent = "Fit";
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", "Fit the drawing to the page");
    button.addEventListener("click", () => {
      const on = figure.classList.toggle("fitted");
      button.setAttribute("aria-pressed", String(on));
    });
    figure.querySelector("figcaption").append(" ", button);
  }

  // Sources begin at the path.
  for (const code of all(".code")) {
    const line = code.querySelector(".line.on");
    if (line) code.scrollTop = line.offsetTop - 60;
  }

  // An index: rows by column, and those that match what is looked for.
  const table = document.querySelector("table.index");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = all("tr[data-kind]", body);
  all("thead th", table).forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    const value = (row) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const numbers = heading.dataset.sort === "number";
      const sorted = rows.slice().sort((a, b) =>
        numbers ? Number(value(a)) - Number(value(b)) : value(a).localeCompare(value(b), "en", { numeric: true }));
      body.append(...(down ? sorted.reverse() : sorted));
    });
  });
  const find = document.getElementById("find");
  const only = document.getElementById("only");
  const filter = () => {
    const wanted = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = (only.value && row.dataset.kind !== only.value) || !wanted.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    document.getElementById("count").textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
  };
  find.addEventListener("input", filter);
  only.addEventListener("input", filter);
  document.querySelector("form.filter").addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("form.filter").hidden = false;
})();
