// Shows the next state of a waiting booking without loading the page again.
"use strict";
(() => {
  const find = (selector) => document.querySelector(selector);
  const root = find("[data-page]");
  const { page, payment, token } = root.dataset;
  const heading = find("h1");
  const ending = document.title.slice(heading.textContent.length);
  let shown = find("section:not([hidden])");
  let polls = 0;
  let busy, late, timer, socket;

  function show({ amount, currency, paid_at: at, ...answer }) {
    const next = find(`[data-state=${answer.state}]`);
    if (!next || answer.payment_id !== payment) return location.replace(page);
    if (next === shown) return;
    const paid_at = `${at?.slice(0, 16).replace("T", " ")} UTC`;
    const facts = { ...answer, amount: `${amount} ${currency}`, paid_at };
    for (const node of next.querySelectorAll("[data-value]")) node.textContent = facts[node.dataset.value];
    shown.hidden = true;
    next.hidden = false;
    shown = next;
    heading.textContent = next.dataset.heading;
    document.title = next.dataset.heading + ending;
    find("[role=status]").textContent = next.dataset.text;
    find("[role=alert]")?.remove();
    heading.focus();
  }

  async function ask() {
    if (!("waits" in shown.dataset)) return socket?.disconnect();
    late = busy;
    if (busy) return;
    busy = true;
    clearTimeout(timer);
    try {
      const answer = await fetch(`${page}/state`);
      if (answer.ok) show(await answer.json());
    } catch {
      // Offline: asked again later.
    }
    busy = false;
    timer = setTimeout(ask, late ? 0 : polls++ < 20 ? 3e3 : polls < 60 ? 5e3 : 1e4);
  }

  for (const name of ["online", "pageshow", "visibilitychange"]) addEventListener(name, ask);
  addEventListener("load", () => {
    if (!window.io) return;
    socket = io({ reconnectionAttempts: 5 });
    socket.on("connect", () => socket.emit("subscribe_changes", { transaction_id: payment, token }));
    socket.on("subscribed", ask);
    socket.on("transaction_changed", ask);
  });
})();
