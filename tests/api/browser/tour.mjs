// Walks through the pages in a real headless Chromium: sign-in by a one-time link, then from a figure down to the
// signed statement. Prints one JSON line: what was seen, every request made, every console message.
// usage: node tour.mjs BASE LINK LANG FOLDER
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";

const [base, link, lang, folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const browser = await playwright.launch({
  executablePath: await chromium.executablePath(),
  args: chromium.args,
  headless: true,
});
const seen = { steps: [], requests: [], console: [] };
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("console", (message) => seen.console.push(message.text()));
  page.on("pageerror", (error) => seen.console.push(String(error)));
  const step = async (name) => {
    await page.waitForLoadState("networkidle");
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: join(folder, `${lang}-${name}.png`), fullPage: true });
    seen.steps.push({
      name,
      url: page.url(),
      title: await page.title(),
      heading: await page.locator("h1").first().innerText(),
      overflow: await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth),
    });
  };
  await page.goto(`${base}/sign-in?lang=${lang}`);
  await step("sign-in");
  await page.goto(`${base}${link}`);
  await step("organisation");
  await page.locator('a[href*="/reports/"]').first().click();
  await step("report");
  const total = await page.locator(".figure a").first().innerText();
  await page.locator(".figure a").first().click();
  await step("trace");
  await page.locator(".grounds a").first().click();
  await step("activity");
  const statements = await page.locator(".digests a").count();
  await page.locator(".digests a").first().click();
  await step("statement");
  await page.goto(`${base}/`);
  await page.locator(".hero a.plain").click();
  await step("code");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${base}/`);
  await step("phone");
  await page.locator("header form button").click();
  await step("signed-out");
  console.log(JSON.stringify({ ...seen, total, statements }));
} finally {
  await browser.close();
}
