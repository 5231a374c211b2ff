// Text fields with %%VARIABLES%% become editors: HTML in colours, variables completed and told from unknown ones. Each
// lives in a shadow root, where style sheets are adopted; the page's policy allows no other style of a script's making.

import {
  autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, Decoration, defaultKeymap, drawSelection,
  EditorState, EditorView, forceLinting, highlightSpecialChars, HighlightStyle, history, historyKeymap, html, keymap,
  lineNumbers, linter, lintKeymap, MatchDecorator, placeholder, search, searchKeymap, syntaxHighlighting, tags, ViewPlugin,
} from "./vendor/codemirror/codemirror.min.js";

const VARIABLE = /%%([A-Z0-9_]{1,64})%%/g;
// A variable first, so that it is not taken for a slip; then whatever has %% and a letter, closed or not (as the server's check has it).
const MEANT = new RegExp(`${VARIABLE.source}|%%([A-Za-z][A-Za-z0-9_-]{0,99})(%{0,2})`, "g");

const colours = syntaxHighlighting(HighlightStyle.define([
  { tag: tags.tagName, color: "var(--info)" },
  { tag: tags.angleBracket, color: "var(--faint)" },
  { tag: [tags.attributeName, tags.propertyName], color: "var(--warning)" },
  { tag: [tags.attributeValue, tags.string], color: "var(--good)" },
  { tag: [tags.comment, tags.documentMeta, tags.processingInstruction], color: "var(--faint)" },
  { tag: [tags.keyword, tags.atom, tags.number, tags.unit, tags.color], color: "var(--bad)" },
]));

const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "transparent", fontSize: ".875rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--ink)", padding: ".4rem 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--faint)", border: "0" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--chosen)" },
  ".cm-placeholder": { color: "var(--faint)", whiteSpace: "pre-wrap" },
  ".cm-variable": { color: "var(--accent)", fontWeight: "600" },
  ".cm-variable *": { color: "inherit" },
  ".cm-unknown": { color: "var(--bad)", textDecoration: "underline wavy", textUnderlineOffset: ".2em" },
  ".cm-lintRange-warning": { backgroundImage: "none" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--control)", borderRadius: "6px", fontFamily: "var(--sans)" },
  ".cm-tooltip": { maxWidth: "min(26rem, 90vw)", boxShadow: "var(--shadow)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: ".2rem .6rem", fontFamily: "var(--mono)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--chosen)", color: "var(--on-chosen)" },
  ".cm-completionDetail": { fontStyle: "normal", color: "var(--faint)" },
  ".cm-completionInfo": { padding: ".4rem .6rem" },
  ".cm-diagnostic": { padding: ".4rem .6rem", borderLeftColor: "var(--warning)" },
  ".cm-diagnosticAction": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-panels input, .cm-panels button": { color: "inherit", background: "var(--card)", border: "1px solid var(--control)", borderRadius: "4px" },
});

// In fields of one line there is nothing to scroll and no new line to make.
const oneLine = [
  EditorState.transactionFilter.of((change) => change.newDoc.lines > 1
    ? [change, { changes: lineBreaks(change.newDoc), sequential: true }] : change),
  EditorView.theme({ ".cm-scroller": { fontFamily: "var(--sans)", overflow: "hidden" }, ".cm-line": { padding: "0 .6rem" } }),
  EditorView.lineWrapping,
];

const lineBreaks = (doc) => {
  const changes = [];
  for (let number = 1; number < doc.lines; number += 1) {
    const { to } = doc.line(number);
    changes.push({ from: to, to: to + 1, insert: " " });
  }
  return changes;
};

// The variables of this page's event, as the list of them on the page says.
export const knownVariables = () => {
  const options = [], names = new Set();
  for (const { dataset } of document.querySelectorAll("[data-variable]")) {
    names.add(dataset.variable);
    for (const alias of dataset.aliases.split(" ")) if (alias) names.add(alias);
    options.push({ label: `%%${dataset.variable}%%`, detail: dataset.sample, info: dataset.description, type: "variable", apply: insert });
  }
  return { options, names };
};

// Takes the percent signs that stand behind the cursor already with it.
const insert = (view, completion, from, to) => {
  const behind = view.state.sliceDoc(to, to + 2);
  const end = to + (behind === "%%" ? 2 : behind[0] === "%" ? 1 : 0);
  view.dispatch({ changes: { from, to: end, insert: completion.label }, selection: { anchor: from + completion.label.length } });
};

const completing = (options) => (context) => {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from).replace(VARIABLE, (whole) => "\0".repeat(whole.length));
  const begun = /%{1,2}[A-Za-z0-9_]*$/.exec(before);
  return begun && { from: line.from + begun.index, options, validFor: /^%{1,2}[A-Za-z0-9_]*$/ };
};

// The name of what is no variable of this event as the server's check tells it, and whether it is no variable at all; null
// for what is in order. What nothing closes only the check tells from ordinary words.
const faultOf = ([whole, variable, word, end], names, told) => {
  if (variable) return names.has(variable) ? null : { name: variable, isSlip: false };
  const name = end === "%%" ? word : whole;
  return end || told.has(name) ? { name, isSlip: true } : null;
};

const marking = (names, told, news) => {
  const marks = new MatchDecorator({
    regexp: MEANT,
    decorate: (add, from, to, match) => {
      const fault = faultOf(match, names, told);
      if (match[1] || fault) add(from, to, Decoration.mark({ class: fault ? "cm-variable cm-unknown" : "cm-variable" }));
    },
  });
  return ViewPlugin.define((view) => ({
    decorations: marks.createDeco(view),
    update(change) { this.decorations = news.came ? marks.createDeco(view) : marks.updateDeco(change, this.decorations); },
  }), { decorations: (plugin) => plugin.decorations });
};

// What the server's check found, such as %%NAME%%, %%name%% or %%NAME%; what is not closed is not part of something longer.
const written = (text) => new RegExp(text + (text.endsWith("%%") ? "" : text.endsWith("%") ? "(?!%)" : "(?![%\\w-])"), "g");

// `told`: what the server's check found, and of each the variable that it looks like.
const judging = (names, told, words, news) => linter((view) => {
  const found = [];
  for (const match of view.state.doc.toString().matchAll(MEANT)) {
    const fault = faultOf(match, names, told);
    if (!fault) continue;
    const meant = told.get(fault.name);
    const message = `${match[0]} ${fault.isSlip ? words.slip : words.unknown}`;
    found.push({
      from: match.index, to: match.index + match[0].length, severity: "warning",
      message: meant ? `${message} ${words.mean.replace("%(name)s", `%%${meant}%%`)}` : message,
      actions: meant ? [{ name: words.replace, apply: (target, from, to) => target.dispatch({ changes: { from, to, insert: `%%${meant}%%` } }) }] : [],
    });
  }
  return found;
}, { delay: 400, needsRefresh: () => news.came });

// An editor in the place of a text field, which stays what the form sends.
export const editorFor = (field, { options, names }, told, words) => {
  const kind = field.dataset.editor;
  const fixed = field.disabled;
  const label = field.closest(".field").querySelector("label");
  const described = (field.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent.trim()).filter(Boolean);
  const host = document.createElement("div");
  host.className = `editor of-${kind}`;
  const root = host.attachShadow({ mode: "open", delegatesFocus: true });
  field.before(host);
  host.id = field.id; // so that links to the field lead to what is seen
  field.removeAttribute("id");
  field.hidden = true;

  const news = { came: false };
  const source = { autocomplete: completing(options) }; // one and the same each time it is asked for
  const hollow = document.createElement("span");
  hollow.textContent = field.dataset.hollow ?? field.placeholder;
  const content = { "aria-label": label.textContent.trim(), spellcheck: "false", tabindex: "0" };
  if (described.length) content["aria-description"] = described.join(" ");
  if (field.hasAttribute("aria-invalid")) content["aria-invalid"] = "true";
  const state = EditorState.create({
    doc: field.value,
    extensions: [
      kind === "line" ? oneLine : [search({ top: true }), EditorView.lineWrapping],
      kind === "html" ? [lineNumbers(), html(), closeBrackets()] : [],
      colours, theme, marking(names, told, news), highlightSpecialChars(), drawSelection(),
      hollow.textContent ? placeholder(() => hollow) : [],
      EditorState.phrases.of(words.phrases),
      EditorView.contentAttributes.of(content),
      fixed ? [EditorState.readOnly.of(true)] : [
        history(), autocompletion({ icons: false }),
        EditorState.languageData.of(() => [source]),
        judging(names, told, words, news),
      ],
      keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap, ...(kind === "line" ? [] : searchKeymap),
        ...(kind === "line" ? [{ key: "Enter", run: () => true }] : []), ...defaultKeymap]),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged) return;
        field.value = update.state.doc.toString();
        field.dispatchEvent(new Event("input", { bubbles: true }));
      }),
    ],
  });
  const view = new EditorView({ state, parent: root, root });
  label.addEventListener("click", () => view.focus());
  host.addEventListener("focusin", () => host.scrollIntoView({ block: "nearest" })); // out from under the bar below
  return {
    view,
    hollow,
    judge: () => {
      news.came = true;
      view.dispatch({});
      news.came = false;
      forceLinting(view);
    },
    show: (number) => {
      const line = view.state.doc.line(Math.min(number, view.state.doc.lines));
      view.dispatch({ selection: { anchor: line.from, head: line.to }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
      view.focus();
    },
    write: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
    insert: (text) => {
      view.dispatch(view.state.replaceSelection(text));
      view.focus();
    },
    replace: (before, after) => {
      const changes = [...view.state.doc.toString().matchAll(written(before))]
        .map((match) => ({ from: match.index, to: match.index + match[0].length, insert: `%%${after}%%` }));
      if (changes.length) view.dispatch({ changes });
    },
  };
};
