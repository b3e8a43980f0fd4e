// Loads the page anew once what it shows has changed in the store; and opens what a link points to.
"use strict";

const EVERY_MS = 2000;

function follow(address, mark) {
  let isAsking = false;
  setInterval(async () => {
    if (isAsking || document.hidden || document.activeElement instanceof HTMLInputElement) return;
    isAsking = true;
    try {
      const answer = await fetch(address);
      if (answer.ok && (await answer.json()).mark !== mark) location.reload();
    } catch {
      // The server is away for a moment, or for good: the page stays as it is.
    } finally {
      isAsking = false;
    }
  }, EVERY_MS);
}

function open() {
  const named = location.hash && document.getElementById(location.hash.slice(1));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.querySelector("summary").focus();
  }
}

const { live, mark } = document.body.dataset;
if (live) follow(live, mark);
addEventListener("hashchange", open);
open();
