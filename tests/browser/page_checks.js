// What a person with a screen reader, a keyboard or weak eyes would stumble over, found in the page itself.
(root) => {
  const found = { nameless: [], unreachable: [], faint: [] };
  const isShown = (each) => each.checkVisibility({ checkVisibilityCSS: true }) && each.getClientRects().length > 0;
  const describe = (each) => `${each.tagName.toLowerCase()}.${each.className} "${each.textContent.trim().slice(0, 40)}"`;
  const nameOf = (each) =>
    each.getAttribute("aria-label") ||
    (each.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join("") ||
    [...(each.labels || [])].map((label) => label.textContent).join("") ||
    (each.tagName === "BUTTON" || each.tagName === "A" || each.getAttribute("role") ? each.textContent : "") ||
    each.title || "";

  // A roving tabindex is reached by its group: one member has 0, arrow keys walk to the others.
  const roving = new Set(["gridcell", "tab", "row", "option", "columnheader"]);
  for (const each of root.querySelectorAll("button, input, select, textarea, a[href], [role=button], [role=grid], [role=tab]")) {
    if (!isShown(each) || each.type === "file") continue;
    if (!nameOf(each).trim()) found.nameless.push(describe(each));
    const isRoving = roving.has(each.getAttribute("role"));
    if (each.tabIndex < 0 && !isRoving && each.getAttribute("role") !== "grid") found.unreachable.push(describe(each));
  }
  for (const grid of root.querySelectorAll("svg[role=grid]"))
    if (isShown(grid) && grid.querySelectorAll('[tabindex="0"]').length !== 1) found.unreachable.push(describe(grid));

  const parse = (text) => (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const linear = (share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => [0.2126 * r, 0.7152 * g, 0.0722 * b].length &&
    0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((part, i) => part * a + under[i] * (1 - a));
  const groundOf = (each) => {
    const layers = [];
    for (let at = each; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a > 0) layers.push([r, g, b, a]);
      if (a === 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const each = node.parentElement;
    if (!node.textContent.trim() || ["STYLE", "SCRIPT", "OPTION"].includes(each.tagName) || !isShown(each)) continue;
    // A control that cannot be used now is exempt; text on paint of its own (a well's mark) has its ink from the paint.
    if (each.closest(":disabled, [aria-disabled=true], .cellos-key b, text.mark")) continue;
    const style = getComputedStyle(each);
    const ground = groundOf(each);
    const ink = over(parse(each instanceof SVGElement ? style.fill : style.color), ground);
    const [dark, light] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < (isLarge ? 3 : 4.5)) found.faint.push(`${contrast.toFixed(2)}: ${describe(each)}`);
  }
  return found;
}
