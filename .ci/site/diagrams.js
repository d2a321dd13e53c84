// Draws the diagrams of a page, in the colours of the theme that the reader chose.
const dark = ["ayu", "coal", "navy"].some((theme) => document.documentElement.classList.contains(theme));
mermaid.initialize({ startOnLoad: true, theme: dark ? "dark" : "default" });
