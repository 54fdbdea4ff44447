"use strict";
// Drawing and saving of charts. All texts become text nodes.
var EgoCharts = (function () {
  var NS = "http://www.w3.org/2000/svg";
  function element(name, attributes, words) {
    var node = document.createElementNS(NS, name);
    Object.keys(attributes || {}).forEach(function (key) { node.setAttribute(key, attributes[key]); });
    if (words !== undefined) node.textContent = words;
    return node;
  }
  function chart(width, height, label) {
    return element("svg", { class: "chart", viewBox: "0 0 " + width + " " + height, width: width, height: height, role: "img", "aria-label": label });
  }
  function titled(node, words) {
    node.appendChild(element("title", {}, words));
    return node;
  }
  function figure(svg, name) {
    var node = document.createElement("figure"), scroll = document.createElement("div"), caption = document.createElement("figcaption"), button = document.createElement("button");
    node.className = "figure";
    scroll.className = "scroll";
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Chart: " + name);
    button.type = "button";
    button.className = "quiet-button";
    button.dataset.save = "svg";
    button.dataset.name = name;
    button.textContent = "Save as SVG";
    scroll.appendChild(svg);
    caption.appendChild(button);
    node.append(scroll, caption);
    return node;
  }
  var PROPERTIES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor"];
  function standalone(svg) {
    var copy = svg.cloneNode(true), from = svg.querySelectorAll("*"), to = copy.querySelectorAll("*");
    from.forEach(function (node, place) {
      var style = getComputedStyle(node);
      PROPERTIES.forEach(function (name) { to[place].setAttribute(name, style.getPropertyValue(name)); });
      to[place].removeAttribute("class");
    });
    copy.removeAttribute("class");
    copy.setAttribute("xmlns", NS);
    copy.setAttribute("font-family", "sans-serif");
    copy.querySelectorAll("a").forEach(function (node) { node.removeAttribute("href"); });
    var ground = element("rect", { width: "100%", height: "100%", fill: getComputedStyle(document.body).backgroundColor });
    copy.insertBefore(ground, copy.firstChild);
    return new XMLSerializer().serializeToString(copy);
  }
  function save(text, name, type) {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: type }));
    link.download = name.toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 90);
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  }
  document.addEventListener("click", function (event) {
    var button = event.target.closest ? event.target.closest("[data-save]") : null;
    if (!button) return;
    var svg = button.closest("figure").querySelector("svg");
    save(standalone(svg), button.dataset.name + ".svg", "image/svg+xml");
  });
  return { element: element, chart: chart, titled: titled, figure: figure, save: save, standalone: standalone };
})();
