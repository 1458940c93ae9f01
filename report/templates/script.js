"use strict";
(() => {
  const form = document.querySelector("form.filter");
  const articles = [...document.querySelectorAll("article.entry")];
  const words = document.getElementById("main").dataset;

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Pages that came by plain HTTP have no clipboard but this one.
      const field = document.body.appendChild(document.createElement("textarea"));
      field.value = text;
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  };

  const addCopyButton = (link) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = words.copy;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      button.textContent = (await copy(link.href)) ? words.copied : words.failed;
      button.focus();
      setTimeout(() => { button.textContent = words.copy; }, 2000);
    });
    const item = document.createElement("li");
    item.append(button);
    link.closest("article").querySelector(".identity").append(item);
  };

  const haystacks = new Map();
  const textOf = (article) => {
    if (!haystacks.has(article)) {
      const ids = [...article.querySelectorAll("[id]")].map((part) => part.id);
      haystacks.set(article, [article.textContent, ...ids].join(" ").normalize("NFKC").toLowerCase());
    }
    return haystacks.get(article);
  };

  // An entry may stand for a few commits that cancel each other out.
  const commitsOf = (article) => article.querySelectorAll("[id^=commit-]").length;
  const total = articles.map(commitsOf).reduce((sum, count) => sum + count, 0);

  // What was open before narrowing, to be put back after it.
  const opened = new Map();
  const openGroups = (narrowed) => {
    for (const box of document.querySelectorAll(".group > details")) {
      if (narrowed && !opened.has(box)) opened.set(box, box.open);
      if (narrowed) box.open = true;
      else if (opened.has(box)) box.open = opened.get(box);
    }
    if (!narrowed) opened.clear();
  };

  const apply = () => {
    const given = new FormData(form);
    const tiers = given.getAll("tier");
    const marks = ["types", "areas", "people"].map((name) => given.get(name)).filter(Boolean);
    const sought = given.get("text").normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean);
    const narrowed = Boolean(tiers.length !== 3 || marks.length || sought.length);
    let shown = 0;
    for (const article of articles) {
      const is = article.dataset.is.split(" ");
      const text = sought.length ? textOf(article) : "";
      article.hidden = !(tiers.includes(is[0]) && marks.every((mark) => is.includes(mark))
        && sought.every((word) => text.includes(word)));
      if (!article.hidden) shown += commitsOf(article);
    }
    for (const link of document.querySelectorAll(".contents a, .timeline a")) {
      const found = document.getElementById(link.hash.slice(1));
      const article = found && found.closest("article");
      if (article) link.closest("li, tr").hidden = article.hidden;
    }
    for (const group of document.querySelectorAll(".group")) {
      group.hidden = !group.querySelector("article:not([hidden])");
      const entry = document.querySelector(`.contents a[href="#${group.getAttribute("aria-labelledby")}"]`);
      if (entry) entry.closest("li").hidden = group.hidden;
    }
    // What speaks of the whole day makes room for what was sought.
    for (const part of document.querySelectorAll(".charts, .highlights, .compatibility")) part.hidden = narrowed;
    openGroups(narrowed);
    const found = words.found.replace("{shown}", shown).replace("{total}", total);
    form.querySelector("output").textContent = !narrowed ? "" : shown ? found : words.nothing;
    form.querySelector("[type=reset]").hidden = !narrowed;
  };

  // An address of a commit opens what hides it.
  const reveal = () => {
    const found = document.getElementById(location.hash.slice(1));
    if (!found) return;
    if (found.closest("[hidden]")) {
      form.reset();
      apply();
    }
    for (let box = found.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    found.scrollIntoView();
  };

  if (form) {
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("reset", () => setTimeout(apply));
    form.addEventListener("submit", (event) => event.preventDefault());
  }
  document.querySelectorAll(".permalink").forEach(addCopyButton);
  addEventListener("hashchange", reveal);
  // The same link a second time changes no address.
  addEventListener("click", (event) => { if (event.target.closest("a[href^='#']")) setTimeout(reveal); });
  reveal();

  // Paper cannot be opened.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("main details:not([open])")];
    closed.forEach((box) => { box.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((box) => { box.open = false; }));
})();
