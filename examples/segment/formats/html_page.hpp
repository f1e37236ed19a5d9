// SPDX-License-Identifier: MIT
// What is the same in every page.
#pragma once

#include <string_view>

namespace cli {

inline constexpr std::string_view html_head = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>segment</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 1980px; margin: 0 auto; padding: 1rem 1.5rem; }
section { border-top: 1px solid #8886; padding: .5rem 0 1.5rem; }
section.failed { border-left: 4px solid #c33; padding-left: 1rem; }
h2 { font-size: 1.1rem; overflow-wrap: anywhere; margin: .5rem 0; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 300px; max-width: 640px; }
figcaption { display: flex; gap: .7rem; min-height: 1.8rem; }
.stage { position: relative; width: 100%; }
.seen .stage { background: var(--photo) 0 0 / 100% 100%; }
.stage img { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; }
.seen .stage img { opacity: .55; }
.stage b { position: absolute; transform: translate(-50%, -50%); padding: 0 .3em; border-radius: .3em;
  background: #000b; color: #fff; font-size: .8rem; line-height: 1.3; }
input { flex: 1; }
table { border-collapse: collapse; margin-top: .8rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .1rem 1.2rem .1rem 0; }
th { font-weight: normal; opacity: .7; }
tr:hover td { background: #8882; }
td i { display: inline-block; width: 1em; height: 1em; margin-right: .5em; vertical-align: -.1em;
  border: 1px solid #8888; border-radius: .2em; }
</style>
</head>
<body>
)";

inline constexpr std::string_view html_tail = R"(<script>
for (const sweep of document.querySelectorAll('.sweep')) {
  const masks = sweep.querySelectorAll('img');
  const range = sweep.querySelector('input');
  const show = () => {
    masks.forEach((mask, i) => { mask.hidden = i !== Number(range.value); });
    sweep.querySelector('output').value = masks[range.value].alt;
  };
  range.addEventListener('input', show);
  show();
}
</script>
</body>
</html>
)";

}  // namespace cli
