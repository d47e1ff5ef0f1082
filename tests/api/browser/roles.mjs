// Walks one journey for each user of the service in a real headless Chromium: enterprise, verification body, bank,
// regulator, public. Prints one JSON line: what each saw, every request made, every console message.
// usage: node roles.mjs LINKS.json LANG FOLDER
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";

const [file, lang, folder] = process.argv.slice(2);
const { links, credit_code: creditCode, bank, body, person } = JSON.parse(readFileSync(file, "utf8"));
mkdirSync(folder, { recursive: true });
const browser = await playwright.launch({
  executablePath: await chromium.executablePath(),
  args: chromium.args,
  headless: true,
});
const seen = { steps: [], requests: [], console: [] };

// One page for all: this Chromium runs as a single process, and ends with its first context.
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
page.on("request", (request) => seen.requests.push(request.url()));
page.on("console", (message) => seen.console.push(message.text()));
page.on("pageerror", (error) => seen.console.push(String(error)));

// A person sets a password by the link that was given to that person alone, then signs in with it and a one-time code.
const signIn = async (origin) => {
  await page.goto(`${origin}${person.link}`);
  await page.locator("#password").fill(person.password);
  await page.locator("#again").fill(person.password);
  await page.locator("form button").click();
  await page.waitForLoadState("networkidle");
  await page.goto(`${origin}/sign-in`);
  await page.locator("#login").fill(person.login);
  await page.locator("#password").fill(person.password);
  await page.locator("#code").fill(person.code);
  await page.locator("form button").first().click();
  await page.waitForURL("**/pages/**");
};

const visit = async (role, journey) => {
  await page.context().clearCookies();
  const step = async (name, shows = {}) => {
    await page.waitForLoadState("networkidle");
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: join(folder, `${lang}-${role}-${name}.png`), fullPage: true });
    seen.steps.push({
      role,
      name,
      url: page.url(),
      title: await page.title(),
      heading: await page.locator("h1").first().innerText(),
      overflow: await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth),
      ...shows,
    });
  };
  const link = new URL(links[role]);
  await page.goto(`${link.origin}/sign-in?lang=${lang}`);
  if (role === person.role) await signIn(link.origin);
  else await page.goto(link.href);
  await journey(step, link.origin);
};

try {
  await visit("enterprise", async (step) => {
    await step("home", {
      grade: await page.locator("#judgements .grade").innerText(),
      marks: await page.locator("#marks .finding").count(),
      asked: await page.locator("#asked tbody tr").count(),
    });
    const give = async (to, purpose, level) => {
      await page.locator("#to").fill(to);
      await page.locator("#purpose").selectOption(purpose);
      await page.locator("#level").selectOption(level);
      for (const [id, day] of [["first", "2026-01-01"], ["last", "2026-01-31"], ["until", "2036-12-31"]]) {
        await page.locator(`#${id}`).fill(day);
      }
      await page.locator("#grants form.line button").click();
      await page.waitForLoadState("networkidle");
    };
    const before = await page.locator("#grants tbody tr").count();
    await give(bank, "loan", "grade");
    await give(body, "verification", "report");
    await step("granted", { added: (await page.locator("#grants tbody tr").count()) - before });
    const standing = await page.locator("#grants tbody tr form").count();
    await page.locator("#grants tbody tr form button").first().click();
    await step("withdrawn", { ended: standing - (await page.locator("#grants tbody tr form").count()) });
    await page.locator('#judgements a[href*="/lineage/"]').first().click();
    await step("lineage", { nodes: await page.locator("svg a").count() });
  });
  await visit("verification_body", async (step) => {
    await step("home", { reports: await page.locator('a[href$="evidence.bundle"]').count() });
    const waiting = page.waitForEvent("download");
    await page.locator('a[href$="evidence.bundle"]').first().click();
    const bundle = await waiting;
    await bundle.saveAs(join(folder, `${lang}-evidence.bundle`));
    await page.locator('a[href*="/statements/"]').first().click();
    await step("opinion");
  });
  await visit("bank", async (step) => {
    await step("home");
    await page.locator("#credit_code").fill(creditCode);
    await page.locator("form.line button").click();
    await step("grade", { grade: await page.locator(".hero .grade").innerText() });
  });
  await visit("regulator", async (step) => {
    await step("home", { organisations: await page.locator("main section.card table").first().locator("tbody tr").count() });
    await page.locator("#id").fill(creditCode);
    await page.locator("form.line button").click();
    await step("lineage", { nodes: await page.locator("svg a").count() });
    await page.goBack();
    await page.locator('a[href$="/activity"]').first().click();
    await step("activity", { rows: await page.locator("tbody tr").count() });
  });
  await visit("public", async (step, origin) => {
    await page.goto(`${origin}/public?lang=${lang}`);
    await step("home", { packages: await page.locator("table tbody tr").count() });
  });
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
