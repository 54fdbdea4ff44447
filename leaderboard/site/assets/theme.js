"use strict";
// Runs before the page is drawn: marks that there are scripts, and takes the theme that was chosen before.
(function () {
  var root = document.documentElement;
  root.classList.add("js");
  function stored() {
    try { return localStorage.getItem("egobench-theme"); } catch (error) { return null; }
  }
  function isDark() {
    var theme = root.dataset.theme;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  var theme = stored();
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  document.addEventListener("DOMContentLoaded", function () {
    var button = document.getElementById("theme");
    if (!button) return;
    function show() {
      button.textContent = isDark() ? "Light" : "Dark";
    }
    button.addEventListener("click", function () {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("egobench-theme", root.dataset.theme); } catch (error) { /* a page need not be remembered */ }
      show();
    });
    show();
  });
})();
