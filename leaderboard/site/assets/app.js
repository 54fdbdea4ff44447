"use strict";
// The board: sort, filter, column groups, comparison, export. The page is complete without it; the state is in the hash.
document.addEventListener("DOMContentLoaded", function () {
  var EMPTY = { q: "", level: null, sort: "", dir: "", hide: [], details: false, cmp: [] };
  var search = document.getElementById("search"), level = document.getElementById("level");
  var status = document.getElementById("status"), compare = document.getElementById("compare-link");
  var tables = Array.from(document.querySelectorAll("table.board"));
  var boxes = Array.from(document.querySelectorAll("#columns-menu input"));
  var defaultLevel = level.value;
  var LEVELS = ["self-reported", "re-scored", "reproduced"];
  var first = new Map();
  tables.forEach(function (table) { first.set(table, Array.from(table.querySelectorAll("tbody.rows > tr"))); });
  var words = new Map();
  first.forEach(function (rows) { rows.forEach(function (row) { words.set(row, row.textContent.toLowerCase()); }); });
  var state = Object.assign({}, EMPTY);

  function parse() {
    var parameters = new URLSearchParams(location.hash.slice(1));
    function list(name) { return (parameters.get(name) || "").split(",").filter(Boolean); }
    state = {
      q: parameters.get("q") || "",
      level: parameters.has("level") ? parameters.get("level") : defaultLevel,
      sort: parameters.get("sort") || "",
      dir: parameters.get("dir") === "asc" ? "asc" : parameters.get("dir") === "desc" ? "desc" : "",
      hide: list("hide"),
      details: parameters.get("details") === "1",
      cmp: list("cmp"),
    };
  }
  function write() {
    var parameters = new URLSearchParams();
    if (state.q) parameters.set("q", state.q);
    if (state.level !== defaultLevel) parameters.set("level", state.level);
    if (state.sort) { parameters.set("sort", state.sort); parameters.set("dir", state.dir); }
    if (state.hide.length) parameters.set("hide", state.hide.join(","));
    if (state.details) parameters.set("details", "1");
    if (state.cmp.length) parameters.set("cmp", state.cmp.join(","));
    var hash = parameters.toString().replace(/%2C/g, ",");
    history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
  }
  function value(row, column) {
    var cell = row.children[column];
    if (!cell || !("v" in cell.dataset)) return null;
    var text = cell.dataset.v, number = Number(text);
    return text !== "" && Number.isFinite(number) ? number : text.toLowerCase();
  }
  function order(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
  }
  function sortTable(table) {
    var headers = Array.from(table.querySelectorAll("thead tr:last-child th"));
    var rows = first.get(table).slice(), column = -1;
    headers.forEach(function (header, place) {
      var button = header.querySelector("button");
      var own = Boolean(button) && state.sort !== "" && button.dataset.sort === state.sort;
      if (button) header.setAttribute("aria-sort", own ? (state.dir === "asc" ? "ascending" : "descending") : "none");
      if (own) column = place;
    });
    if (column >= 0) {
      var sign = state.dir === "asc" ? 1 : -1;
      rows = rows.map(function (row, place) { return { row: row, place: place, value: value(row, column) }; });
      rows.sort(function (a, b) {
        if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.place - b.place;
        return sign * order(a.value, b.value) || a.place - b.place;
      });
      rows = rows.map(function (entry) { return entry.row; });
    }
    table.querySelector("tbody.rows").append.apply(table.querySelector("tbody.rows"), rows);
  }
  function isHidden(group) {
    return group === "details" ? !state.details : state.hide.indexOf(group) >= 0;
  }
  function hideColumns(table) {
    var headings = Array.from(table.querySelectorAll("thead tr:last-child th"));
    var hidden = headings.map(function (heading) { return isHidden(heading.dataset.group); });
    table.querySelectorAll("tr.groups [data-group]").forEach(function (group) { group.hidden = isHidden(group.dataset.group); });
    table.querySelectorAll("tr:not(.groups)").forEach(function (row) {
      hidden.forEach(function (isOut, place) { row.children[place].hidden = isOut; });
    });
  }
  function show() {
    var shownRows = 0, allRows = 0, needles = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    tables.forEach(function (table) {
      sortTable(table);
      var inTable = 0;
      first.get(table).forEach(function (row) {
        var believed = !state.level || LEVELS.indexOf(row.dataset.level) >= LEVELS.indexOf(state.level);
        var matches = needles.every(function (needle) { return words.get(row).indexOf(needle) >= 0; });
        row.hidden = !(believed && matches);
        inTable += row.hidden ? 0 : 1;
        var box = row.querySelector("input");
        box.checked = state.cmp.indexOf(row.dataset.run) >= 0;
      });
      table.closest("section").hidden = inTable === 0;
      shownRows += inTable;
      allRows += first.get(table).length;
      hideColumns(table);
    });
    boxes.forEach(function (box) {
      box.checked = !isHidden(box.dataset.group);
    });
    search.value = state.q;
    level.value = state.level;
    status.textContent = shownRows === allRows ? allRows + " runs" : shownRows + " of " + allRows + " runs shown; ranks stay those of the whole board";
    document.getElementById("compare-count").textContent = state.cmp.length;
    compare.href = "compare.html" + (state.cmp.length ? "#runs=" + state.cmp.join(",") : "");
    compare.setAttribute("aria-disabled", String(state.cmp.length < 2));
  }
  function change(update) {
    Object.assign(state, update);
    write();
    show();
  }

  // Export of what is shown, in its order.
  function shownTables() {
    return tables.filter(function (table) { return !table.closest("section").hidden; }).map(function (table) {
      var headers = Array.from(table.querySelectorAll("thead tr:last-child th"));
      var columns = headers.map(function (header, place) { return place; }).filter(function (place) { return !headers[place].hidden; });
      return {
        section: table.dataset.section,
        headers: columns.map(function (place) { return headers[place].dataset.full || headers[place].textContent.trim(); }),
        ids: columns.map(function (place) { return headers[place].dataset.id || headers[place].textContent.trim(); }),
        rows: Array.from(table.querySelectorAll("tbody.rows > tr")).filter(function (row) { return !row.hidden; }).map(function (row) {
          return columns.map(function (place) { return cell(row.children[place]); });
        }),
      };
    });
  }
  function cell(node) {
    if (node.classList.contains("name")) return { text: node.dataset.v };
    var bold = node.querySelector("b"), interval = node.querySelector("i"), rank = node.querySelector("u");
    if (!bold) return { text: Array.from(node.childNodes).map(function (part) { return part.textContent.trim(); }).filter(Boolean).join(" ") };
    return { text: bold.textContent, interval: interval ? interval.textContent : "", rank: rank ? rank.textContent : "", value: Number(node.dataset.v), partial: Boolean(node.querySelector("em")) };
  }
  function written(entry, open, close) {
    return entry.text + (entry.interval ? " " + open + entry.interval + close : "") + (entry.partial ? " (partial)" : "");
  }
  function csvCell(text) {
    // A text that a spreadsheet would take for a formula is kept a text.
    var safe = /^[=+@\t\r]|^-[^0-9.]/.test(text) ? "'" + text : text;
    return /[",\n\r]/.test(safe) ? '"' + safe.replace(/"/g, '""') + '"' : safe;
  }
  function latex(text) {
    var named = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--", "−": "$-$" };
    return text.replace(/[\\~^–−&%$#_{}]/g, function (character) { return named[character] || "\\" + character; });
  }
  function markdown(text) {
    return text.replace(/[\\`*_{}\[\]<>|]/g, "\\$&").replace(/\n/g, " ");
  }
  var FORMS = {
    csv: function (parts) {
      return parts.map(function (part) {
        var lines = [part.ids].concat(part.rows.map(function (row) { return row.map(function (entry) { return entry.value === undefined ? entry.text : String(entry.value); }); }));
        return lines.map(function (line) { return line.map(csvCell).join(","); }).join("\n");
      }).join("\n\n") + "\n";
    },
    json: function (parts) {
      return JSON.stringify(parts.map(function (part) {
        return { section: part.section, rows: part.rows.map(function (row) {
          var object = {};
          row.forEach(function (entry, place) { object[part.ids[place]] = entry.value === undefined ? entry.text : { value: entry.value, interval: entry.interval, ranks: entry.rank, partial: entry.partial }; });
          return object;
        }) };
      }), null, 1) + "\n";
    },
    md: function (parts) {
      return parts.map(function (part) {
        var lines = [part.headers, part.headers.map(function (_, place) { return place < 2 ? "---" : "---:"; })]
          .concat(part.rows.map(function (row) { return row.map(function (entry) { return markdown(written(entry, "[", "]")).replace(/\\\[/g, "[").replace(/\\\]/g, "]"); }); }));
        lines[0] = lines[0].map(markdown);
        return "**" + markdown(part.section) + "**\n\n" + lines.map(function (line) { return "| " + line.join(" | ") + " |"; }).join("\n");
      }).join("\n\n") + "\n";
    },
    tex: function (parts) {
      return parts.map(function (part) {
        var lines = [part.headers.map(latex)].concat(part.rows.map(function (row) { return row.map(function (entry) { return latex(written(entry, "[", "]")); }); }));
        return "% " + part.section.replace(/\n/g, " ") + "\n\\begin{tabular}{ll" + "r".repeat(Math.max(0, part.headers.length - 2)) + "}\n\\hline\n" +
          lines.map(function (line, place) { return line.join(" & ") + " \\\\" + (place === 0 ? " \\hline" : ""); }).join("\n") + "\n\\hline\n\\end{tabular}";
      }).join("\n\n") + "\n";
    },
    svg: function () {
      var svg = Array.from(document.querySelectorAll("section .chart")).find(function (chart) { return !chart.closest("section").hidden; });
      return svg ? EgoCharts.standalone(svg) : "";
    },
  };
  var TYPES = { csv: "text/csv", json: "application/json", md: "text/markdown", tex: "application/x-tex", svg: "image/svg+xml" };
  document.querySelectorAll("[data-export]").forEach(function (button) {
    button.addEventListener("click", function () {
      var form = button.dataset.export;
      EgoCharts.save(FORMS[form](shownTables()), "leaderboard." + form, TYPES[form]);
      document.getElementById("export-menu").open = false;
    });
  });

  document.getElementById("tools").addEventListener("submit", function (event) { event.preventDefault(); });
  search.addEventListener("input", function () { change({ q: search.value }); });
  level.addEventListener("change", function () { change({ level: level.value }); });
  document.getElementById("reset").addEventListener("click", function () { change(Object.assign({}, EMPTY, { level: defaultLevel })); });
  boxes.forEach(function (box) {
    box.addEventListener("change", function () {
      if (box.dataset.group === "details") return change({ details: box.checked });
      var hide = state.hide.filter(function (group) { return group !== box.dataset.group; });
      return change({ hide: box.checked ? hide : hide.concat(box.dataset.group) });
    });
  });
  tables.forEach(function (table) {
    table.addEventListener("click", function (event) {
      var button = event.target.closest("button[data-sort]");
      if (!button) return;
      var name = button.dataset.sort, upward = name === "name" || name === "rank";
      var again = state.sort === name, start = upward ? "asc" : "desc", other = upward ? "desc" : "asc";
      if (again && state.dir === other) change({ sort: "", dir: "" });
      else change({ sort: name, dir: again ? other : start });
    });
    table.addEventListener("change", function (event) {
      var row = event.target.closest("tr[data-run]");
      if (!row) return;
      var rest = state.cmp.filter(function (key) { return key !== row.dataset.run; });
      change({ cmp: event.target.checked ? rest.concat(row.dataset.run) : rest });
    });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); search.focus(); }
    if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach(function (menu) { menu.open = false; menu.querySelector("summary").focus(); });
  });
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.menu[open]").forEach(function (menu) { if (!menu.contains(event.target)) menu.open = false; });
  });
  addEventListener("hashchange", function () { parse(); show(); });
  parse();
  show();
});
