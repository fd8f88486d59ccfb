// Unpacks the browser and the libraries that a bare machine lacks into TMPDIR.
// The package looks for this variable before it unpacks the libraries.
process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x";
const { default: chromium } = await import("@sparticuz/chromium");
console.log(await chromium.executablePath());
