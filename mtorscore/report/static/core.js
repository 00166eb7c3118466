"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
document.documentElement.classList.add("js");
