// The beacon: what a page of a site tells the collector. build.mjs makes /b.js of it, at most 1.5 KB compressed.
//
//   <script defer src="https://count.example.org/b.js" data-site="www.example.org"></script>
//   data-hosts="example.org shop.example.org"          more hosts of the same site: coming from there begins no visit
//
// A view is one showing of one page: a document that loads or comes back from the back/forward cache, or a new path by
// history.pushState or going through history. It tells `page_hit` when it begins, and `page_leave` each time it is
// hidden: first with scroll, entry and exit, then only with further seconds.
//
// Nothing is stored and nothing is recognised: no cookie, no storage, no number that would tell one browser from
// another. What a view knows of the visit is what the browser knows of this page: where it came from, where it goes.

export {}; // for the compiler: a module of its own

declare global {
  interface Window {
    collector?: { goal(name: string): void; optOut(): void };
  }
  interface Navigator {
    globalPrivacyControl?: boolean;
  }
  interface Document {
    prerendering?: boolean;
  }
}

/** Whoever goes on to another page is gone within this time, or it was something else: a file, an answer 204. */
const GOING_MS = 10_000;
const NOT_GOING = -GOING_MS;
const MOST_S = 86_400;
const MOST_URL = 2048;

/** No error of this script reaches the page. */
function quietly(run: () => void): void {
  try {
    run();
  } catch (e) {}
}

/** Counts the views of this document, and what is done in them. */
function start(site: string, base: string, hosts: string[]): void {
  let isOut = !!navigator.globalPrivacyControl || navigator.doNotTrack === '1';

  // The view that is shown.
  let path: string;
  let url: string;
  let isEntry: boolean;
  let isTold: boolean; // whether it was hidden before
  let shownAt = 0; // 0 while it is hidden
  let shownMs: number;
  let toldS: number;
  let depth: number;
  let goingAt: number; // when somebody went on to another page of the site

  const now = () => performance.now();

  function send(kind: string, facts: Record<string, unknown>): void {
    if (isOut) return;
    const to = base + 'v1/events';
    const body = JSON.stringify({ kind, site, ...facts });
    if (navigator.sendBeacon && navigator.sendBeacon(to, body)) return;
    fetch(to, { method: 'POST', body, keepalive: true, credentials: 'omit' }).catch(() => {});
  }

  /** Whether an address is of this site; the collector's own, which may be on one of its hosts, lead elsewhere. */
  function isInside(address: string): boolean {
    return hosts.includes(new URL(address).hostname) && !/^(go|dl)\//.test(address.replace(base, ''));
  }

  function read(): number {
    const page = document.scrollingElement || document.documentElement;
    return Math.min(100, Math.round(((page.scrollTop + innerHeight) / page.scrollHeight) * 100)) || 0;
  }

  function show(): void {
    shownAt = document.hidden ? 0 : now();
  }

  /** Another view begins: one that came from an address, or from nowhere (''). Of both addresses only what is read is sent. */
  function begin(from: string): void {
    path = location.pathname;
    const words = location.search.match(/\butm_(source|medium|campaign)=[^&]*/gi) || [];
    url = (location.origin + path + '?' + words.join('&')).slice(0, MOST_URL);
    isEntry = !from || !isInside(from);
    isTold = false;
    shownMs = toldS = depth = 0;
    goingAt = NOT_GOING;
    show();
    send('page_hit', { url, referrer: isEntry ? from.split('/', 3).join('/') || undefined : location.origin });
  }

  /** The view is hidden, and the visit ends here as far as the page can tell, unless somebody is going on in the site. */
  function leave(isExit: boolean): void {
    if (shownAt) shownMs += now() - shownAt;
    shownAt = 0;
    const seconds = Math.min(MOST_S, Math.round(shownMs / 1000) - toldS); // of all its hides together, rounded once
    toldS += seconds;
    if (isTold && !seconds) return;
    send('page_leave', {
      url,
      seconds,
      scroll: isTold ? undefined : Math.max(depth, read()),
      entry: !isTold && isEntry,
      exit: !isTold && isExit,
    });
    isTold = true;
  }

  const hide = () => leave(now() - goingAt > GOING_MS);

  /** The address may have changed without a new document: only another path is another page. */
  function turn(): void {
    if (location.pathname === path) return;
    leave(false);
    begin(location.href);
  }

  const goal = (name: string) => send('goal', { goal: name });

  /** Somebody follows a link, or would send a form. */
  function act(event: MouseEvent): void {
    if (event.button > 1) return; // the menu of a link opens nothing
    const target = event.target as Element;
    const isForm = event.type === 'submit';
    const aim = target.closest<HTMLElement>('[data-goal]');
    if (aim && (aim.tagName === 'FORM') === isForm) goal(aim.dataset.goal!);
    const link = target.closest<HTMLAnchorElement>('a[href]');
    if (!link) return;
    // In a new window, or where nothing else tells of it: not within this page, and not to a file.
    if (link.target || !window.navigation) {
      const isGoing = isInside(link.href) && link.pathname !== path && !link.hasAttribute('download');
      goingAt = isGoing ? now() : NOT_GOING;
    }
    const { link: id, download, origin } = link.dataset;
    if (isOut || !(id || download)) return;
    const plain = link.getAttribute('href')!;
    link.href = base + (id ? 'go/' + id : 'dl/' + download + (origin ? '?origin=' + origin : ''));
    setTimeout(() => link.setAttribute('href', plain)); // the browser has read it by then
  }

  const on = <E>(target: EventTarget, type: string, heed: (event: E) => void) =>
    target.addEventListener(type, (event) => quietly(() => heed(event as E)), true);

  on(document, 'click', act);
  on(document, 'auxclick', act);
  on(document, 'submit', act);
  on(document, 'scroll', () => (depth = Math.max(depth, read())));
  on(document, 'visibilitychange', () => (document.hidden ? hide() : show()));
  on(window, 'pagehide', hide);
  on(window, 'pageshow', (event: PageTransitionEvent) => event.persisted && begin(location.href));
  on(window, 'popstate', turn);
  // The Navigation API tells of links, forms and scripts, and of going back to a page of the site.
  if (window.navigation) {
    on(navigation, 'navigate', ({ destination, downloadRequest }: NavigateEvent) => {
      if (destination.sameDocument) return;
      goingAt = isInside(destination.url) && downloadRequest == null ? now() : NOT_GOING;
    });
  }
  const { pushState } = history;
  history.pushState = function (...given) {
    pushState.apply(this, given);
    quietly(turn);
  };

  window.collector = { goal: (name) => quietly(() => goal(name)), optOut: () => void (isOut = true) };
  // A page that was loaded again, or gone back to, goes on with a visit.
  const [loading] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  begin(loading && /^(reload|back)/.test(loading.type) ? location.href : document.referrer);
}

const script = document.currentScript as HTMLScriptElement | null;
const site = script && script.dataset.site;
if (site) {
  const here = location.hostname;
  const hosts = `${script.dataset.hosts || here} ${here}`.split(' ');
  const run = () =>
    quietly(() => {
      // Loaded twice it counts once. An element of the page may go by this name, too.
      if (!(window.collector && window.collector.goal)) start(site, script.src.replace(/[^/]*$/, ''), hosts);
    });
  // A page that is made ready in case somebody opens it counts once somebody does.
  if (document.prerendering) document.addEventListener('prerenderingchange', run);
  else run();
}
