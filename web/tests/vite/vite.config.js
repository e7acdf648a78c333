// The package needs no settings. These are the test's own: its data, and where it reports.
const server = process.env.TEST_SERVER;

export default {
  server: server ? { strictPort: true, proxy: { "/data": server, "/result": server } } : {},
};
