// Runs before the first paint: applies the chosen theme and tells the style sheet that
// scripts run, so that controls which need them appear.
const chosen = localStorage.getItem("theme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
document.documentElement.classList.add("js");
