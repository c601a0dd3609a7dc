// Which sources are search engines and which are social networks. A source is the registrable domain of a referrer;
// `name.*` is that name under any ending (google.de, google.co.uk). Everything else that is a host is a site.

export type Group = 'search' | 'social' | 'direct' | 'sites';

const SEARCH = [
  'google.*', 'bing.com', 'duckduckgo.com', 'yahoo.*', 'ecosia.org', 'baidu.com', 'yandex.*', 'ya.ru', 'qwant.com',
  'startpage.com', 'brave.com', 'naver.com', 'daum.net', 'seznam.cz', 'kagi.com', 'ask.com', 'sogou.com', 'so.com',
  'aol.com', 'mojeek.com', 'swisscows.com', 'metager.de', 'presearch.com', 'petalsearch.com', 'perplexity.ai',
];
const SOCIAL = [
  'facebook.com', 'fb.com', 'instagram.com', 'threads.net', 'threads.com', 'whatsapp.com', 'x.com', 't.co', 'twitter.com',
  'bsky.app', 'mastodon.social', 'mastodon.online', 'fosstodon.org', 'reddit.com', 'redd.it', 'youtube.com', 'youtu.be',
  'linkedin.com', 'lnkd.in', 'xing.com', 'pinterest.*', 'tiktok.com', 'snapchat.com', 'tumblr.com', 'quora.com', 'vk.com',
  'ok.ru', 't.me', 'telegram.org', 'telegram.me', 'discord.com', 'discord.gg', 'weibo.com', 'weixin.qq.com',
  'ycombinator.com', 'lobste.rs', 'slashdot.org', 'lemmy.world', 'twitch.tv',
];

/** The group of a source; null for what is not known or has no name. */
export function groupOf(source: string): Group | null {
  if (source === '(direct)') return 'direct';
  if (source.startsWith('(')) return null;
  if (SEARCH.some((one) => matches(one, source))) return 'search';
  return SOCIAL.some((one) => matches(one, source)) ? 'social' : 'sites';
}

function matches(declared: string, source: string): boolean {
  if (declared.endsWith('.*')) return source.startsWith(declared.slice(0, -1));
  return source === declared || source.endsWith(`.${declared}`);
}
