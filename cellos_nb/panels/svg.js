// Of every script that draws SVG; it stands before them in one module. Text enters through textContent alone.
const SVG = "http://www.w3.org/2000/svg";

function make(parent, name, attributes = {}, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.appendChild(element);
  return element;
}
