// What dimensions and reports are called on the page.

const DIMENSIONS: Record<string, string> = {
  path: 'Page', source: 'Source', country: 'Country', os: 'System', device: 'Device', browser: 'Browser',
  language: 'Language', goal: 'Goal', link: 'Link', utm_source: 'Campaign source', utm_medium: 'Campaign medium',
  utm_campaign: 'Campaign', first: 'Activity', arch: 'Architecture', age: 'Age',
};

export const dimensionName = (name: string): string => DIMENSIONS[name] ?? capital(name);
export const reportName = (name: string): string => capital(name.replaceAll('_', ' '));

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
