"use strict";
// The viewer: the index is filtered in memory, the list draws only the rows in sight, samples come in chunks.
var EGOBENCH = (function () {
  var ROW = 46, SPARE = 8, SERIES = 6;
  var data = null, results = [], matched = new Uint32Array(0), current = -1, chunks = {}, waiting = {}, state = {};
  var FIELDS = ["search", "part", "outcome", "run", "agreement", "tag", "value"];
  var SIGNS = { R: "✓", W: "✗", T: "=", O: "…", P: "?", U: "U", F: "F", M: "M", E: "E", "-": "–" };
  var byId = function (id) { return document.getElementById(id); };

  function make(tag, className, words) {
    var node = document.createElement(tag);
    if (className) node.className = className;
    if (words !== undefined) node.textContent = words;
    return node;
  }
  function option(value, words) {
    var node = make("option", "", words);
    node.value = value;
    return node;
  }
  function options(id, rows) {
    byId(id).replaceChildren.apply(byId(id), rows.map(function (row) { return option(row[0], row[1]); }));
  }
  function partOf(number) {
    var low = 0, high = data.parts.length - 1;
    while (low < high) {
      var middle = (low + high + 1) >> 1;
      if (data.parts[middle].first <= number) low = middle; else high = middle - 1;
    }
    return low;
  }
  function end(part) { return part + 1 < data.parts.length ? data.parts[part + 1].first : data.ids.length; }

  // Filters.
  function passes() {
    var count = data.ids.length, keep = new Uint8Array(count), number, run, place;
    var from = 0, to = count;
    if (state.part !== "") { from = data.parts[state.part].first; to = end(Number(state.part)); }
    keep.fill(1, from, to);
    if (state.outcome) {
      var code = state.outcome.charCodeAt(0), own = state.run === "" ? results.map(function (_, at) { return at; }) : [Number(state.run)];
      for (number = from; number < to; number += 1) {
        var any = false;
        for (place = 0; place < own.length && !any; place += 1) any = results[own[place]][number] === code;
        if (!any) keep[number] = 0;
      }
    }
    if (state.agreement) {
      var RIGHT = 82;
      for (number = from; number < to; number += 1) {
        var right = 0, asked = 0;
        for (run = 0; run < results.length; run += 1) {
          if (results[run][number] !== 45) asked += 1;
          if (results[run][number] === RIGHT) right += 1;
        }
        var first = results[0][number] === RIGHT;
        var fits = state.agreement === "disagree" ? right > 0 && right < asked
          : state.agreement === "all-right" ? asked > 0 && right === asked
          : state.agreement === "none-right" ? right === 0
          : state.agreement === "first-alone" ? first && right === 1
          : !first && right > 0 && right === asked - 1;
        if (!fits) keep[number] = 0;
      }
    }
    if (state.tag !== "" && state.value !== "") {
      var marked = new Uint8Array(count);
      data.tags[state.tag].values[state.value][1].reduce(function (before, step) { marked[before + step] = 1; return before + step; }, 0);
      for (number = from; number < to; number += 1) keep[number] &= marked[number];
    }
    if (state.search) {
      var needle = state.search.toLowerCase();
      var inSnippet = data.lowered.map(function (words) { return words.indexOf(needle) >= 0; });
      for (number = from; number < to; number += 1) {
        if (keep[number] && !inSnippet[data.snippetOf[number]] && data.loweredIds[number].indexOf(needle) < 0) keep[number] = 0;
      }
    }
    var total = 0;
    for (number = from; number < to; number += 1) total += keep[number];
    var list = new Uint32Array(total), at = 0;
    for (number = from; number < to; number += 1) if (keep[number]) { list[at] = number; at += 1; }
    return list;
  }
  function filter() {
    var started = performance.now();
    matched = passes();
    byId("room").style.height = matched.length * ROW + "px";
    byId("status").textContent = matched.length.toLocaleString("en") + " of " + data.ids.length.toLocaleString("en") + " samples";
    byId("list").scrollTop = 0;
    select(matched.indexOf(current) < 0 ? (matched.length ? matched[0] : -1) : current);
    reveal();
    drawList();
    api.filterMilliseconds = performance.now() - started;
  }

  // The list.
  function drawList() {
    var list = byId("list"), first = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
    var last = Math.min(matched.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
    var nodes = [];
    for (var place = first; place < last; place += 1) nodes.push(rowOf(place));
    byId("room").replaceChildren.apply(byId("room"), nodes);
    var active = matched.indexOf(current);
    if (active >= first && active < last) list.setAttribute("aria-activedescendant", "row-" + current); else list.removeAttribute("aria-activedescendant");
  }
  function rowOf(place) {
    var number = matched[place], row = make("div", "list-row"), facts = make("div", "row-facts");
    row.id = "row-" + number;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(number === current));
    row.setAttribute("aria-setsize", matched.length);
    row.setAttribute("aria-posinset", place + 1);
    row.style.top = place * ROW + "px";
    row.dataset.number = number;
    row.appendChild(make("div", "row-words", data.snippets[data.snippetOf[number]] || data.ids[number]));
    results.forEach(function (_, run) { facts.appendChild(sign(data.outcomes[run][number], data.runs[run].title)); });
    facts.appendChild(make("span", "", data.parts[partOf(number)].title + " · " + data.ids[number]));
    row.appendChild(facts);
    return row;
  }
  function sign(code, title) {
    var node = make("span", "sign " + (code === "-" ? "none" : code), SIGNS[code]);
    node.title = title + ": " + data.words[code];
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", node.title);
    return node;
  }
  function reveal() {
    var place = matched.indexOf(current), list = byId("list");
    if (place < 0) return;
    if (place * ROW < list.scrollTop) list.scrollTop = place * ROW;
    else if ((place + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (place + 1) * ROW - list.clientHeight;
  }
  function step(by) {
    var place = matched.indexOf(current), next = Math.min(matched.length - 1, Math.max(0, place + by));
    if (matched.length) { select(matched[next]); reveal(); drawList(); }
  }
  function select(number) {
    current = number;
    write();
    if (number < 0) return byId("sample").replaceChildren(make("p", "note", "No sample fits."));
    var chunk = Math.floor(number / data.chunk);
    return load(chunk, function () { if (current === number) draw(chunks[chunk][number % data.chunk], number); });
  }
  function load(chunk, then) {
    if (chunks[chunk]) return then();
    if (waiting[chunk]) return waiting[chunk].push(then);
    waiting[chunk] = [then];
    var script = document.createElement("script");
    script.src = "data/chunk-" + chunk + ".js";
    script.onerror = function () {
      delete waiting[chunk];
      byId("sample").replaceChildren(make("p", "note", "data/chunk-" + chunk + ".js cannot be read: is the folder whole?"));
    };
    return document.head.appendChild(script);
  }

  // A sample.
  function seconds(value) { return value === null || value === undefined ? "its end" : value.toFixed(2) + " s"; }
  function letter(place) { return place < 26 ? String.fromCharCode(65 + place) : String(place + 1); }
  function runMark(place) {
    var mark = make("span", "s" + place % SERIES), inner = make("span", "run-mark", String(place + 1));
    inner.title = data.runs[place].title;
    mark.appendChild(inner);
    return mark;
  }
  function draw(sample, number) {
    var part = data.parts[partOf(number)], nodes = [], head = make("div", "sample-head"), steps = make("span", "steps");
    head.append(make("span", "", part.title), make("span", "", "sample " + sample.id), make("span", "", (sample.video || "a clip") + ", from " + seconds(sample.start) + " to " + seconds(sample.end)));
    [["Previous", -1], ["Next", 1]].forEach(function (entry) {
      var button = make("button", "", entry[0]);
      button.type = "button";
      button.addEventListener("click", function () { step(entry[1]); });
      steps.appendChild(button);
    });
    head.appendChild(steps);
    var title = make("h2", "", part.withheld ? "Sample " + sample.id : sample.question);
    title.id = "sample-title";
    title.tabIndex = -1;
    nodes.push(head, title);
    if (part.withheld) nodes.push(make("p", "note", part.withheld + " Replies show which option they repeat, as ⟦B⟧, and not its words. With a copy of the data, egobench view shows all."));
    if (sample.count) nodes.push(optionList(sample));
    else if (sample.answer) nodes.push(make("p", "truth-text", "Reference answer: " + sample.answer));
    var tags = Object.keys(sample.tags || {}).map(function (name) { return name + ": " + sample.tags[name].join(", "); });
    if (tags.length) nodes.push(make("p", "receipt", tags.join(" · ")));
    var viewers = new Map();
    sample.answers.forEach(function (answer, run) {
      if (answer && answer.strip) viewers.set(answer.strip, (viewers.get(answer.strip) || []).concat(run));
    });
    viewers.forEach(function (members) { nodes.push(strip(sample.answers[members[0]], members)); });
    var cards = make("div", "answers");
    sample.answers.forEach(function (answer, run) { cards.appendChild(card(sample, answer, run)); });
    nodes.push(cards);
    byId("sample").replaceChildren.apply(byId("sample"), nodes);
  }
  function optionList(sample) {
    var list = make("ol", "options");
    for (var place = 0; place < sample.count; place += 1) {
      var item = make("li", place === sample.target ? "truth" : ""), words = make("span"), chosen = make("span", "chosen-by");
      words.appendChild(make("bdi", "", sample.options ? sample.options[place] : "withheld"));
      if (place === sample.target) words.appendChild(make("span", "truth-word", "right"));
      sample.answers.forEach(function (answer, run) { if (answer && answer.choice === place) chosen.appendChild(runMark(run)); });
      item.append(make("span", "letter", letter(place)), words, chosen);
      list.appendChild(item);
    }
    return list;
  }
  function card(sample, answer, run) {
    var box = make("section", "answer"), heading = make("h3"), code = answer ? answer.outcome : "-";
    heading.append(runMark(run), make("bdi", "", data.runs[run].title));
    var verdict = make("span", "verdict");
    verdict.append(sign(code, data.runs[run].title), data.words[code]);
    heading.appendChild(verdict);
    box.appendChild(heading);
    if (!answer) return box;
    if (answer.error) box.appendChild(make("p", "read", answer.error));
    if (answer.reply) { var reply = make("pre", "", answer.reply); reply.tabIndex = 0; reply.setAttribute("aria-label", "Reply of " + data.runs[run].title); box.appendChild(reply); }
    var reading = answer.choice === undefined ? "no option" : letter(answer.choice);
    var read = sample.count ? "Read as " + reading : "Kept as it is";
    if (answer.rule) read += ", by: " + answer.rule;
    if (answer.finish === "length") read += "; cut off by length";
    if (answer.orders) read += "; in other orders " + answer.orders.map(function (entry) { return entry[1] === null ? "none" : letter(entry[1]); }).join(", ");
    box.appendChild(make("p", "read", read + "."));
    if (answer.scores && data.runs[run].method !== "generate") box.appendChild(scores(answer.scores, sample));
    if (answer.receipt && !answer.strip) box.appendChild(receipt(answer));
    return box;
  }
  function scores(values, sample) {
    var table = make("table", "score-table"), body = make("tbody"), most = Math.max.apply(null, values);
    var shares = values.map(function (value) { return Math.exp(value - most); }), total = shares.reduce(function (a, b) { return a + b; }, 0);
    values.forEach(function (value, place) {
      var row = make("tr"), th = make("th", "", letter(place)), bar = make("td"), frame = make("span", "score-bar"), inner = make("span");
      th.scope = "row";
      inner.style.width = (100 * shares[place] / total).toFixed(1) + "%";
      frame.appendChild(inner);
      bar.appendChild(frame);
      row.append(th, bar, make("td", "", value.toFixed(2)));
      body.appendChild(row);
    });
    table.appendChild(body);
    table.setAttribute("aria-label", "Scores of the options");
    return table;
  }
  function strip(answer, members) {
    var figure = make("figure", "seen"), caption = make("figcaption");
    members.forEach(function (run) { caption.appendChild(runMark(run)); });
    caption.append("saw these frames");
    var box = make("div", "strip"), image = make("img");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Film strip");
    image.src = "strips/" + encodeURIComponent(answer.strip);
    image.alt = answer.receipt.times.length + " frames, from " + answer.receipt.times[0].toFixed(2) + " s to " + answer.receipt.times[answer.receipt.times.length - 1].toFixed(2) + " s";
    image.loading = "lazy";
    box.appendChild(image);
    figure.append(caption, box, receipt(answer));
    return figure;
  }
  function receipt(answer) {
    var slip = answer.receipt, times = slip.times || [];
    var words = times.length + " frames of " + slip.width + " × " + slip.height + ": " + times.map(function (time) { return time.toFixed(2); }).join(", ") + " s · " + slip.decoder + ", resized: " + slip.resize + " · receipt " + slip.sha256;
    if (answer.proof) words += " · decoded again: " + answer.proof;
    return make("p", "receipt", words);
  }

  // The address.
  function write() {
    var parameters = new URLSearchParams();
    FIELDS.forEach(function (name) {
      if (state[name] === "" || state[name] === undefined) return;
      var value = state[name];
      if (name === "part") value = data.parts[value].title;
      if (name === "run") value = data.runs[value].key;
      if (name === "tag") value = data.tags[value].name;
      if (name === "value") value = data.tags[state.tag].values[value][0];
      parameters.set(name, value);
    });
    if (current >= 0) { parameters.set("sample", data.ids[current]); parameters.set("in", data.parts[partOf(current)].title); }
    history.replaceState(null, "", "#" + parameters.toString());
  }
  function parse() {
    var parameters = new URLSearchParams(location.hash.slice(1));
    function place(list, name) { var at = list.findIndex(function (entry) { return entry === parameters.get(name); }); return at < 0 ? "" : String(at); }
    state = { search: parameters.get("search") || "", outcome: parameters.get("outcome") || "", agreement: parameters.get("agreement") || "" };
    state.part = place(data.parts.map(function (part) { return part.title; }), "part");
    state.run = place(data.runs.map(function (run) { return run.key; }), "run");
    state.tag = place(data.tags.map(function (tag) { return tag.name; }), "tag");
    state.value = state.tag === "" ? "" : place(data.tags[state.tag].values.map(function (value) { return value[0]; }), "value");
    current = -1;
    var inside = data.parts.findIndex(function (part) { return part.title === parameters.get("in"); });
    if (inside >= 0) {
      for (var number = data.parts[inside].first; number < end(inside); number += 1) if (data.ids[number] === parameters.get("sample")) { current = number; break; }
    }
    showFields();
  }
  function showFields() {
    options("value", [["", "any"]].concat(state.tag === "" ? [] : data.tags[state.tag].values.map(function (value, at) { return [String(at), value[0] + " (" + value[1].length + ")"]; })));
    byId("value").disabled = state.tag === "";
    FIELDS.forEach(function (name) { byId(name).value = state[name]; });
  }
  function start() {
    options("part", [["", "all"]].concat(data.parts.map(function (part, at) { return [String(at), part.title + " (" + (end(at) - part.first) + ")"]; })));
    options("outcome", [["", "any"]].concat(Object.keys(data.words).filter(function (code) { return data.outcomes.some(function (column) { return column.indexOf(code) >= 0; }); }).map(function (code) { return [code, data.words[code]]; })));
    options("run", [["", "any run"]].concat(data.runs.map(function (run, at) { return [String(at), run.title]; })));
    options("tag", [["", "any"]].concat(data.tags.map(function (tag, at) { return [String(at), tag.name]; })));
    byId("agreement").closest("label").hidden = data.runs.length < 2;
    byId("run").closest("label").hidden = data.runs.length < 2;
    FIELDS.forEach(function (name) {
      byId(name).addEventListener(name === "search" ? "input" : "change", function () {
        state[name] = byId(name).value;
        if (name === "tag") { state.value = ""; showFields(); }
        filter();
      });
    });
    document.querySelector(".filters").addEventListener("submit", function (event) { event.preventDefault(); });
    byId("list").addEventListener("scroll", drawList);
    byId("list").addEventListener("click", function (event) {
      var row = event.target.closest(".list-row");
      if (row) { select(Number(row.dataset.number)); drawList(); }
    });
    document.addEventListener("keydown", function (event) {
      var field = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
      if (event.ctrlKey || event.metaKey || event.altKey || field) return;
      var scrollable = document.activeElement.closest && document.activeElement.closest(".strip, pre");
      var steps = { j: 1, k: -1, ArrowRight: scrollable ? 0 : 1, ArrowLeft: scrollable ? 0 : -1 };
      if (document.activeElement === byId("list")) Object.assign(steps, { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -data.ids.length, End: data.ids.length });
      if (steps[event.key]) { event.preventDefault(); step(steps[event.key]); }
      if (event.key === "/") { event.preventDefault(); byId("search").focus(); }
    });
    addEventListener("hashchange", function () { parse(); filter(); });
    addEventListener("resize", drawList);
    parse();
    filter();
    api.readyMilliseconds = performance.now();
  }
  var api = {
    index: function (text) {
      data = JSON.parse(text);
      data.lowered = data.snippets.map(function (words) { return words.toLowerCase(); });
      data.loweredIds = data.ids.map(function (id) { return id.toLowerCase(); });
      results = data.outcomes.map(function (column) { return new TextEncoder().encode(column); });
      if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
    },
    chunk: function (number, text) {
      chunks[number] = JSON.parse(text);
      (waiting[number] || []).forEach(function (then) { then(); });
      delete waiting[number];
    },
    readyMilliseconds: null,
    filterMilliseconds: null,
  };
  return api;
})();
