(() => {
  'use strict';
  const root = document.documentElement;
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const make = (name, text, kind) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  all('.tools, .script-only').forEach((element) => { element.hidden = false; });

  // Dark and light: as the system says, until somebody chooses.
  const theme = one('#theme');
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme || (system.matches ? 'dark' : 'light')) === 'dark';
  const label = () => { theme.textContent = isDark() ? 'Light' : 'Dark'; };
  theme.addEventListener('click', () => { root.dataset.theme = isDark() ? 'light' : 'dark'; label(); });
  system.addEventListener('change', label);
  label();

  // The filter: every word must be in a row's text.
  const data = JSON.parse(one('#data').textContent);
  const rows = all('[data-row]').map((element) => ({ element, text: '', failed: 'failed' in element.dataset }));
  const grid = one('.matrix');
  const cells = grid ? Array.from(grid.querySelectorAll('td.cell')) : [];
  const members = data.names.map(() => '');
  data.places.forEach((place, number) => { members[data.groups[number]] += ' ' + place.toLowerCase(); });
  const filter = one('#filter');
  const failed = one('#failed');
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (text) => words.every((word) => text.includes(word));
    let shown = 0;
    for (const row of rows) {
      row.text = row.text || row.element.textContent.toLowerCase();
      const show = fits(row.text) && (row.failed || !failed.checked);
      if (row.element.hidden === show) row.element.hidden = !show;
      if (show) shown += 1;
    }
    const group = members.map((text) => words.length > 0 && fits(text));
    const some = group.includes(true);
    for (const cell of cells) {
      const bad = /open|broken|unproven/.test(cell.className);
      const other = some && !group[cell.dataset.s] && !group[cell.dataset.t];
      cell.classList.toggle('dim', other || (failed.checked && !bad));
    }
    one('#status').textContent = words.length || failed.checked ? `${shown} of ${rows.length} rows shown` : '';
  };
  filter.addEventListener('input', apply);
  failed.addEventListener('change', apply);
  document.addEventListener('keydown', (event) => {
    const typing = /^(INPUT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      filter.focus();
    } else if (event.key === 'Escape' && event.target === filter) {
      filter.value = '';
      apply();
    }
  });

  // The matrix: one stop for Tab, arrow keys inside, Enter shows expected and seen.
  const detail = one('#detail');
  const most = 400;
  const show = (cell) => {
    const source = Number(cell.dataset.s);
    const target = Number(cell.dataset.t);
    grid.querySelectorAll('[aria-selected]').forEach((other) => other.removeAttribute('aria-selected'));
    cell.setAttribute('aria-selected', 'true');
    const found = data.rows.filter((row) => data.groups[row[0]] === source && data.groups[row[1]] === target);
    const table = make('table');
    const head = table.createTHead().insertRow();
    const grouped = found.some((row) => data.places[row[0]] !== data.names[source] || data.places[row[1]] !== data.names[target]);
    for (const text of ['', ...(grouped ? ['Path'] : []), 'Expected', 'Seen', 'Ports', 'As expected']) {
      const heading = make('th', text);
      heading.scope = 'col';
      head.append(heading);
    }
    const body = table.createTBody();
    for (const row of found.slice(0, most)) {
      const line = body.insertRow();
      const [state, symbol, words] = data.states[row[2]];
      const mark = make('span', symbol, `cell ${state} h2`);
      mark.setAttribute('aria-hidden', 'true');
      const first = line.insertCell();
      first.append(mark, make('span', words, 'unseen'));
      if (grouped) line.append(make('td', `${data.places[row[0]]} → ${data.places[row[1]]}`));
      for (const text of [data.texts[row[3]], data.texts[row[4]], data.texts[row[5]], `${row[7]} of ${row[6]}`]) {
        line.append(make('td', text));
      }
      if (row[8]) {
        const more = row[6] - row[7] - row[8].length;
        const note = body.insertRow().insertCell();
        note.colSpan = 6;
        note.textContent = `Failed: ${row[8].join('; ')}${more > 0 ? ` and ${more} more` : ''}`;
      }
    }
    const scroll = make('div', undefined, 'scroll');
    scroll.append(table);
    detail.replaceChildren(make('h3', `${data.names[source]} → ${data.names[target]}`), scroll);
    if (found.length > most) detail.append(make('p', `And ${found.length - most} more; the JSON beside this page has them all.`, 'soft'));
  };
  const move = (from, right, down) => {
    let row = from.parentElement;
    let column = from.cellIndex;
    for (;;) {
      column += right;
      if (down && row) row = down > 0 ? row.nextElementSibling : row.previousElementSibling;
      const next = row && row.cells[column];
      if (!next || next.tagName === 'TH') return null;
      if (next.classList.contains('cell')) return next;
    }
  };
  const visit = (cell) => {
    cells.forEach((other) => { if (other.tabIndex === 0) other.tabIndex = -1; });
    cell.tabIndex = 0;
    cell.focus();
  };
  if (cells.length) {
    cells[0].tabIndex = 0;
    grid.addEventListener('click', (event) => {
      const cell = event.target.closest('td.cell');
      if (cell) { visit(cell); show(cell); }
    });
    grid.addEventListener('keydown', (event) => {
      const cell = event.target.closest('td.cell');
      if (!cell) return;
      const inRow = Array.from(cell.parentElement.querySelectorAll('td.cell'));
      const next = {
        ArrowRight: () => move(cell, 1, 0),
        ArrowLeft: () => move(cell, -1, 0),
        ArrowDown: () => move(cell, 0, 1),
        ArrowUp: () => move(cell, 0, -1),
        Home: () => inRow[0],
        End: () => inRow[inRow.length - 1],
      }[event.key];
      if (next) {
        event.preventDefault();
        const found = next();
        if (found) visit(found);
      } else if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        show(cell);
      }
    });
  }

  // Paper cannot be unfolded.
  let folded = [];
  addEventListener('beforeprint', () => {
    folded = all('details:not([open])');
    folded.forEach((element) => { element.open = true; });
  });
  addEventListener('afterprint', () => folded.forEach((element) => { element.open = false; }));
  performance.mark('usable');
})();
