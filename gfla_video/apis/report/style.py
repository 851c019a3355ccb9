"""How a report looks: one style sheet, no font and no file from elsewhere."""

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #57606a;
  --line: #d0d7de; --shade: #f6f8fa; --curve: #0550ae; --warn: #7d4e00; --warn-paper: #fff8c5; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --soft: #9aa4af;
  --line: #3d444d; --shade: #161b22; --curve: #79c0ff; --warn: #f2cc60; --warn-paper: #2d2200; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
a { color: var(--curve); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0; }
.soft { color: var(--soft); margin: 0 0 .5rem; }
.wide { overflow-x: auto; margin: .75rem 0; }
article { margin: 0 0 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: .3rem .75rem; border-bottom: 1px solid var(--line); text-align: right; }
th[scope=row], thead th:first-child { text-align: left; }
thead th { background: var(--shade); }
.warning { color: var(--warn); background: var(--warn-paper); border-left: 4px solid var(--warn);
  padding: .5rem .75rem; margin: .5rem 0; }
.warning ul { margin: 0; padding-left: 1.25rem; }
details { margin: .5rem 0; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.panels { display: flex; flex-wrap: wrap; gap: .5rem; }
.curves { display: flex; flex-wrap: wrap; gap: .75rem 1.25rem; }
figure { margin: 0; }
figcaption { font-size: .85rem; color: var(--soft); }
img, video { display: block; max-width: 100%; height: auto; image-rendering: pixelated;
  background: #808080; }
svg { color: var(--soft); max-width: 100%; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
svg .name { fill: var(--ink); font-weight: 600; }
svg .end { text-anchor: end; }
svg .axis { stroke: var(--line); }
svg .curve { fill: none; stroke: var(--curve); stroke-width: 1.5; }
"""
