// A worker of the module's that collects its garbage now and then.

import "/dist/worker.js";

setInterval(() => gc(), 100);
