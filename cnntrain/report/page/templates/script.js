"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement, $ = (id) => document.getElementById(id);
  const make = (tag, text, css) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (css) node.className = css;
    return node;
  };

  // light, dark, or as the system says; the choice stays where the browser lets a file remember
  const themes = ["auto", "light", "dark"], button = $("theme");
  const show = (theme) => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    button.textContent = "Theme: " + theme;
    paint();
  };
  let theme = "auto";
  try { theme = localStorage.getItem("cnntrain-theme") || theme; } catch (error) { /* a file may have no storage */ }
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % 3];
    try { localStorage.setItem("cnntrain-theme", theme); } catch (error) { /* as above */ }
    show(theme);
  });

  // the pictures behind a number
  const dialog = $("behind"), grid = $("behind-pictures"), list = $("behind-names"), rest = $("behind-rest");
  const open = (key) => {
    const group = data.groups[key];
    if (!group) return;
    $("behind-title").textContent = group.title;
    grid.replaceChildren(...group.shown.map((number) => {
      const [file, said] = data.images[number], [url, width, height, small] = data.shots[number];
      const figure = make("figure"), see = make("div", undefined, "see"), image = make("img", undefined, small ? "px" : "");
      Object.assign(image, { src: url, width, height, alt: file + ": " + said });
      see.append(image);
      const caption = make("figcaption"), name = make("span", undefined, "file");
      name.append(make("bdi", file));
      caption.append(make("span", said), name);
      figure.append(see, caption);
      return figure;
    }));
    list.replaceChildren(...group.named.map((number) => {
      const item = make("li");
      item.append(make("bdi", data.images[number][0]), ": " + data.images[number][1]);
      return item;
    }));
    list.hidden = !group.named.length;
    rest.textContent = group.more ? group.more.toLocaleString("en") + " more stand in " + data.lists : "";
    dialog.showModal();
    dialog.scrollTop = 0;
  };
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-group]");
    if (opener) open(opener.dataset.group);
    else if (event.target === dialog || event.target.id === "close") dialog.close();
  });

  // arrow keys go from cell to cell
  for (const table of document.querySelectorAll(".matrix")) {
    const cells = [...table.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")]);
    const buttons = [...table.querySelectorAll("td button")];
    buttons.forEach((each, place) => { each.tabIndex = place ? -1 : 0; });
    table.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      const cell = event.target.closest("td");
      if (!step || !cell) return;
      event.preventDefault();
      let row = cell.parentNode.rowIndex - 1, column = cell.cellIndex - 1;
      for (row += step[0], column += step[1]; cells[row] && cells[row][column]; row += step[0], column += step[1]) {
        const next = cells[row][column].querySelector("button");
        if (next) {
          buttons.forEach((each) => { each.tabIndex = -1; });
          next.tabIndex = 0;
          next.focus();
          return;
        }
      }
    });
  }

  // a matrix of many classes is painted; a cursor goes over it, and two lists do the same without seeing it
  const field = $("field");
  let paint = () => {};
  if (field && data.matrix) {
    const { names, cells } = data.matrix, count = names.length, pixels = Math.max(1, Math.ceil(800 / count));
    const at = new Map(cells.map(([row, column, number, share]) => [row * count + column, [number, share]]));
    let row = 0, column = 0;
    field.width = field.height = count * pixels;
    paint = () => {
      const style = getComputedStyle(root), context = field.getContext("2d");
      context.fillStyle = style.getPropertyValue("--card");
      context.fillRect(0, 0, field.width, field.height);
      for (const [place, [, share]] of at) {
        const r = Math.floor(place / count), c = place % count;
        context.globalAlpha = r === c ? Math.max(0.08, share) : Math.max(0.3, Math.pow(share, 0.4));
        context.fillStyle = style.getPropertyValue(r === c ? "--right" : "--wrong");
        context.fillRect(c * pixels, r * pixels, pixels, pixels);
      }
      context.globalAlpha = 1;
      context.strokeStyle = style.getPropertyValue("--ink");
      context.lineWidth = 2;
      context.strokeRect(column * pixels - 1, row * pixels - 1, pixels + 2, pixels + 2);
    };
    const tell = () => {
      const [number] = at.get(row * count + column) || [0];
      $("field-said").textContent = "\u2068" + names[row] + "\u2069 said to be \u2068" + names[column] + "\u2069: " + number + (number === 1 ? " picture" : " pictures");
      $("pick-true").value = row;
      $("pick-said").value = column;
      paint();
    };
    const go = (r, c) => {
      row = Math.min(count - 1, Math.max(0, r));
      column = Math.min(count - 1, Math.max(0, c));
      tell();
    };
    const place = (event) => {
      const box = field.getBoundingClientRect();
      return [Math.floor((event.clientY - box.top) / box.height * count), Math.floor((event.clientX - box.left) / box.width * count)];
    };
    const openHere = () => open(row + ":" + column);
    field.addEventListener("mousemove", (event) => go(...place(event)));
    field.addEventListener("click", (event) => { go(...place(event)); openHere(); });
    field.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (step) go(row + step[0], column + step[1]);
      else if (event.key === "Enter" || event.key === " ") openHere();
      else return;
      event.preventDefault();
    });
    for (const id of ["pick-true", "pick-said"]) {
      $(id).append(...names.map((name, number) => Object.assign(make("option", name), { value: number })));
      $(id).addEventListener("change", () => go(+$("pick-true").value, +$("pick-said").value));
    }
    $("pick-open").addEventListener("click", openHere);
    tell();
  }

  // a click on a heading sorts its table
  for (const sorter of document.querySelectorAll(".list thead button")) {
    sorter.addEventListener("click", () => {
      const head = sorter.closest("th"), body = head.closest("table").tBodies[0], column = head.cellIndex;
      const up = head.getAttribute("aria-sort") === "descending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (line) => line.cells[column].dataset.value;
      const order = (a, b) => {
        const x = value(a), y = value(b), numbers = +x - +y;
        return Number.isNaN(numbers) ? x.localeCompare(y) : numbers;
      };
      body.append(...[...body.rows].sort((a, b) => (up ? order(a, b) : order(b, a))));
    });
  }
  show(themes.includes(theme) ? theme : "auto");
})();
