"use strict";
// The page of comparisons: everything is drawn from EGOBENCH, which data/compare.js leaves.
document.addEventListener("DOMContentLoaded", function () {
  var draw = EgoCharts, runs = EGOBENCH.runs, numbers = EGOBENCH.numbers;
  var placeOf = {};
  runs.forEach(function (run, place) { placeOf[run.key] = place; });
  var add = document.getElementById("add"), chosenNumber = document.getElementById("number");
  var MOST = 24, SERIES = 6, phone = matchMedia("(max-width: 40rem)");
  var chosen = [];

  function option(value, words) {
    var node = document.createElement("option");
    node.value = value;
    node.textContent = words;
    return node;
  }
  var groups = {};
  runs.forEach(function (run) {
    if (!groups[run.section]) {
      groups[run.section] = document.createElement("optgroup");
      groups[run.section].label = run.section;
      add.appendChild(groups[run.section]);
    }
    groups[run.section].appendChild(option(run.key, run.title + " · " + run.key.slice(0, 6)));
  });
  numbers.forEach(function (number) { chosenNumber.appendChild(option(number.key, number.title)); });

  function percent(value) { return value === null || value === undefined ? "–" : (100 * value).toFixed(1); }
  function signed(value) { return (value < 0 ? "−" : "+") + (100 * Math.abs(value)).toFixed(1); }
  function pWords(p) { return p === null ? "–" : p < 0.001 ? "< 0.001" : p.toFixed(3); }
  function scoreOf(number, place) {
    var found = number.scores.find(function (score) { return score[0] === place; });
    return found ? { value: found[1], low: found[2], high: found[3] } : null;
  }
  function test(number, first, second) {
    var count = number.tested.length, a = number.tested.indexOf(first), b = number.tested.indexOf(second);
    if (a < 0 || b < 0 || a === b) return null;
    var low = Math.min(a, b), high = Math.max(a, b);
    var place = low * count - low * (low + 1) / 2 + (high - low - 1);
    var effect = scoreOf(number, first).value - scoreOf(number, second).value, error = number.errors[place] / 1e5;
    var left = effect - number.critical * error, right = effect + number.critical * error;
    if (error === 0) {
      // Every video has the same difference: the interval of the sign test, as in egobench.statistics.
      var like = Math.pow(0.025, 1 / number.clusters);
      left = like * effect - (1 - like);
      right = like * effect + (1 - like);
    }
    return { effect: effect, low: Math.max(-1, left), high: Math.min(1, right), p: number.p[place] / 1e5 };
  }
  function holm(tests) {
    var order = tests.filter(function (entry) { return entry.test; }).sort(function (a, b) { return a.test.p - b.test.p; });
    var largest = 0;
    order.forEach(function (entry, place) {
      largest = Math.max(largest, Math.min(1, (order.length - place) * entry.test.p));
      entry.holm = largest;
    });
  }
  function table(caption, headers, rows) {
    var scroll = document.createElement("div"), node = document.createElement("table"), head = document.createElement("tr"), body = document.createElement("tbody"), top = document.createElement("thead");
    scroll.className = "scroll";
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", caption);
    node.className = "plain";
    headers.forEach(function (words) {
      var th = document.createElement("th");
      th.scope = "col";
      th.textContent = words;
      head.appendChild(th);
    });
    rows.forEach(function (cells) {
      var line = document.createElement("tr");
      cells.forEach(function (cell, place) {
        var td = document.createElement(place === 0 ? "th" : "td");
        if (place === 0) td.scope = "row";
        if (cell && cell.strong !== undefined) {
          var strong = document.createElement("b"), small = document.createElement("i");
          strong.textContent = cell.strong;
          small.textContent = cell.small;
          td.append(strong, small);
        } else td.textContent = cell;
        line.appendChild(td);
      });
      body.appendChild(line);
    });
    top.appendChild(head);
    node.append(top, body);
    scroll.appendChild(node);
    return scroll;
  }
  function fill(id, nodes) {
    var target = document.getElementById(id);
    target.replaceChildren.apply(target, nodes);
  }
  function note(words) {
    var node = document.createElement("p");
    node.className = "note";
    node.textContent = words;
    return node;
  }
  function shared() {
    return numbers.filter(function (number) { return chosen.every(function (place) { return scoreOf(number, place); }); });
  }

  function differences() {
    if (chosen.length < 2) return [note("Choose at least two runs.")];
    var first = chosen[0], common = shared(), family = [];
    var columns = chosen.slice(1).map(function (other) {
      return common.map(function (number) {
        var entry = { test: test(number, first, other), holm: null, other: other, number: number };
        if (number.headline) family.push(entry);
        return entry;
      });
    });
    holm(family);
    return columns.map(function (entries, place) {
      var rows = entries.map(function (entry) {
        var own = scoreOf(entry.number, first), others = scoreOf(entry.number, entry.other), found = entry.test;
        return [entry.number.title, percent(own.value), percent(others.value),
          found ? { strong: signed(found.effect), small: signed(found.low) + " to " + signed(found.high) } : "not tested",
          pWords(found ? found.p : null), pWords(entry.holm)];
      });
      var caption = runs[first].title + " minus " + runs[chosen[place + 1]].title;
      var box = document.createElement("div"), heading = document.createElement("h3");
      heading.textContent = caption;
      box.append(heading, rows.length ? table(caption, ["number", "first", "second", "difference", "p", "Holm's p"], rows) : note("They share no number over the same samples."));
      return box;
    });
  }
  var FLOORS = [["chance", "chance"], ["blind", "blind"], ["trained", "trained"]];
  function whiskers() {
    return shared().filter(function (number) { return number.headline || number.tested.length && number.id.indexOf("/") < 0; }).map(function (number) {
      var small = phone.matches, left = small ? 10 : 190, plot = small ? 306 : 420, row = small ? 44 : 24, top = 12, bottom = top + row * chosen.length;
      var width = left + plot + (small ? 12 : 70), svg = draw.chart(width, bottom + 24, number.title + ": scores of the compared runs");
      for (var tick = 0; tick <= 100; tick += 25) {
        var across = left + plot * tick / 100;
        svg.appendChild(draw.element("line", { x1: across, x2: across, y1: top, y2: bottom, class: "grid" }));
        svg.appendChild(draw.element("text", { x: across, y: bottom + 17, class: "tick", "text-anchor": "middle" }, String(tick)));
      }
      FLOORS.forEach(function (floor) {
        var value = number[floor[0]];
        if (value === null) return;
        svg.appendChild(draw.titled(draw.element("line", { x1: left + plot * value, x2: left + plot * value, y1: top, y2: bottom, class: floor[1] }), floor[0] + " " + percent(value)));
      });
      chosen.forEach(function (place, index) {
        var found = scoreOf(number, place), y = top + row * (index + (small ? 0.72 : 0.5)), x = left + plot * Math.min(1, Math.max(0, found.value));
        var group = draw.element("g", { class: "s" + index % SERIES });
        svg.appendChild(draw.element("text", { x: small ? 0 : left - 12, y: small ? y - 14 : y + 4, "text-anchor": small ? "start" : "end" }, runs[place].title.slice(0, 28)));
        if (found.low !== null) group.appendChild(draw.element("line", { x1: left + plot * found.low, x2: left + plot * found.high, y1: y, y2: y, class: "whisker" }));
        group.appendChild(draw.titled(draw.element("circle", { cx: x, cy: y, r: 4.5, class: "dot" }), runs[place].title + ": " + percent(found.value)));
        svg.appendChild(group);
        svg.appendChild(draw.element("text", { x: small ? width : left + plot + 12, y: small ? y - 14 : y + 4, class: "number", "text-anchor": small ? "end" : "start" }, percent(found.value)));
      });
      var box = document.createElement("div"), heading = document.createElement("h3");
      heading.textContent = number.title;
      box.append(heading, draw.figure(svg, number.title));
      return box;
    });
  }
  function matrix() {
    var number = numbers.find(function (entry) { return entry.key === chosenNumber.value; }) || numbers[0];
    var members = (chosen.length > 1 ? chosen : number.tested).filter(function (place) { return number.tested.indexOf(place) >= 0; });
    var cut = members.length > MOST;
    members = members.slice().sort(function (a, b) { return scoreOf(number, b).value - scoreOf(number, a).value || a - b; }).slice(0, MOST);
    if (members.length < 2) return [note("Fewer than two of these runs can be compared by " + number.title + ".")];
    // On a phone the names stand below, so that as many cells as can be are seen at once.
    var small = phone.matches, left = small ? 24 : 200, size = 58, height = 34, top = 34, bottom = top + height * members.length + 10;
    var svg = draw.chart(Math.max(left + size * members.length + 10, small ? 328 : 0), bottom + (small ? 20 * members.length : 0), "Differences in " + number.title + ", row minus column");
    members.forEach(function (row, i) {
      var y = top + height * i;
      svg.appendChild(draw.titled(draw.element("text", { x: left - 10, y: y + 21, "text-anchor": "end" }, (i + 1) + (small ? "" : "  " + runs[row].title.slice(0, 26))), runs[row].title));
      if (small) svg.appendChild(draw.element("text", { x: 0, y: bottom + 20 * i + 14, class: "tick" }, (i + 1) + "  " + runs[row].title.slice(0, 40)));
      svg.appendChild(draw.element("text", { x: left + size * (i + 0.5), y: top - 12, class: "tick", "text-anchor": "middle" }, String(i + 1)));
      members.forEach(function (column, j) {
        if (i === j) return;
        var found = test(number, row, column), apart = found.low > 0 || found.high < 0;
        var kind = !apart ? "same" : found.effect > 0 ? "more" : "less";
        var words = runs[row].title + " minus " + runs[column].title + ": " + signed(found.effect) + " [" + signed(found.low) + ", " + signed(found.high) + "], p " + pWords(found.p);
        var cell = draw.element("rect", { x: left + size * j, y: y, width: size, height: height, class: "cell " + kind });
        svg.appendChild(draw.titled(cell, words));
        svg.appendChild(draw.element("text", { x: left + size * (j + 0.5), y: y + 21, class: "cell-words" + (apart ? " on-fill" : "") }, signed(found.effect)));
      });
    });
    var heading = document.createElement("h3");
    heading.textContent = number.title;
    var rows = members.map(function (row) {
      return [runs[row].title].concat(members.map(function (column) {
        var found = row === column ? null : test(number, row, column);
        return found ? { strong: signed(found.effect), small: "p " + pWords(found.p) } : "";
      }));
    });
    var more = document.createElement("details"), summary = document.createElement("summary");
    summary.textContent = "The same as a table";
    more.append(summary, table("Matrix of " + number.title, ["row minus column"].concat(members.map(function (place) { return runs[place].title; })), rows));
    return [heading, note("Row minus column. Filled where the 95 % interval of that one pair leaves out 0; no correction for many pairs, so it explores. Rank sets on the board are corrected." + (cut ? " The best " + MOST + " are drawn; choose runs to see others." : "")), draw.figure(svg, "Matrix " + number.title), more];
  }
  function radar() {
    var axes = shared().filter(function (number) { return number.headline && number.chosen; });
    if (!chosen.length || axes.length < 3) return [note("A radar needs at least one run and three headline numbers with options.")];
    var small = phone.matches, centre = small ? [164, 146] : [380, 220], radius = small ? 120 : 165;
    function place(axis, value) {
      var angle = 2 * Math.PI * axis / axes.length - Math.PI / 2;
      return [centre[0] + radius * value * Math.cos(angle), centre[1] + radius * value * Math.sin(angle)];
    }
    function ring(values, kind, title) {
      var corners = values.map(function (value, axis) { return place(axis, value).map(function (x) { return x.toFixed(1); }).join(","); });
      return draw.titled(draw.element("polygon", { points: corners.join(" "), class: kind }), title);
    }
    var svg = draw.chart(small ? 328 : 760, small ? 304 + 20 * axes.length : 430, "The compared runs on axes from 0 to 100");
    [0.25, 0.5, 0.75, 1].forEach(function (value) { svg.appendChild(ring(axes.map(function () { return value; }), "grid", String(100 * value))); });
    axes.forEach(function (number, axis) {
      var end = place(axis, 1), words = place(axis, 1.1), side = Math.abs(words[0] - centre[0]) < 20 ? "middle" : words[0] > centre[0] ? "start" : "end";
      svg.appendChild(draw.element("line", { x1: centre[0], y1: centre[1], x2: end[0], y2: end[1], class: "grid" }));
      svg.appendChild(draw.element("text", { x: words[0], y: words[1] + 4, class: "tick", "text-anchor": small ? "middle" : side }, small ? String(axis + 1) : number.title.slice(0, 32)));
      if (small) svg.appendChild(draw.element("text", { x: 0, y: 310 + 20 * axis, class: "tick" }, (axis + 1) + "  " + number.title.slice(0, 40)));
    });
    FLOORS.forEach(function (floor) {
      var values = axes.map(function (number) { return number[floor[0]]; });
      if (values.every(function (value) { return value !== null; })) svg.appendChild(ring(values, "ring " + floor[1], floor[0]));
    });
    chosen.slice(0, SERIES).forEach(function (run, index) {
      var group = draw.element("g", { class: "s" + index });
      group.appendChild(ring(axes.map(function (number) { return Math.max(0, scoreOf(number, run).value); }), "ring run", runs[run].title));
      svg.appendChild(group);
    });
    var legend = document.createElement("p");
    legend.className = "legend";
    chosen.slice(0, SERIES).forEach(function (run, index) {
      var entry = document.createElement("span"), box = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      box.setAttribute("class", "chart swatch-line");
      box.setAttribute("width", "22");
      box.setAttribute("height", "12");
      box.setAttribute("aria-hidden", "true");
      var group = draw.element("g", { class: "s" + index });
      group.appendChild(draw.element("circle", { cx: 8, cy: 6, r: 5, class: "dot" }));
      box.appendChild(group);
      entry.append(box, runs[run].title);
      legend.appendChild(entry);
    });
    return [draw.figure(svg, "radar"), legend];
  }
  function show() {
    fill("chips", chosen.map(function (place, index) {
      var chip = document.createElement("li"), link = document.createElement("a"), button = document.createElement("button");
      link.href = runs[place].page;
      link.textContent = runs[place].title;
      button.type = "button";
      button.textContent = "×";
      button.setAttribute("aria-label", "Leave out " + runs[place].title);
      button.addEventListener("click", function () { change(chosen.filter(function (_, other) { return other !== index; })); });
      chip.append(link, button);
      return chip;
    }));
    fill("differences", differences());
    fill("whiskers", whiskers());
    fill("matrix", matrix());
    fill("radar", radar());
    document.getElementById("status").textContent = chosen.length + " runs, " + (chosen.length ? shared().length : 0) + " numbers over the same samples";
  }
  function change(next) {
    chosen = next;
    write();
    show();
  }
  function write() {
    var parameters = new URLSearchParams();
    if (chosen.length) parameters.set("runs", chosen.map(function (place) { return runs[place].key; }).join(","));
    if (numbers.length && chosenNumber.value !== numbers[0].key) parameters.set("number", chosenNumber.value);
    history.replaceState(null, "", "#" + parameters.toString().replace(/%2C/g, ","));
  }
  function parse() {
    var parameters = new URLSearchParams(location.hash.slice(1));
    chosen = [];
    (parameters.get("runs") || "").split(",").forEach(function (key) {
      if (Object.prototype.hasOwnProperty.call(placeOf, key) && chosen.indexOf(placeOf[key]) < 0) chosen.push(placeOf[key]);
    });
    if (numbers.length) chosenNumber.value = numbers.some(function (number) { return number.key === parameters.get("number"); }) ? parameters.get("number") : numbers[0].key;
  }
  add.addEventListener("change", function () {
    var place = placeOf[add.value];
    add.value = "";
    if (place !== undefined && chosen.indexOf(place) < 0) change(chosen.concat(place));
  });
  chosenNumber.addEventListener("change", function () { write(); show(); });
  document.getElementById("clear").addEventListener("click", function () { change([]); });
  phone.addEventListener("change", show);
  addEventListener("hashchange", function () { parse(); show(); });
  parse();
  show();
});
