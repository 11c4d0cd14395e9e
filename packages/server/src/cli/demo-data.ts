export const DEMO_PHASES: readonly string[] = ['dormant', 'curious', 'warming', 'attached', 'entangled', 'cooling']
export const DEMO_RISKS: readonly string[] = ['low', 'guarded', 'elevated', 'high']
export const DEMO_ARCHETYPES: readonly string[] = ['unknown', 'explorer', 'caretaker', 'dreamer', 'sage', 'jester']
export const DEMO_NODES: readonly string[] = ['trust', 'longing', 'play', 'grief']

const NAMES: readonly string[] = [
  'ada',
  'bela',
  'chidi',
  'dana',
  'emil',
  'farah',
  'goro',
  'hana',
  'ines',
  'jonas',
  'kofi',
  'lena',
  'mira',
  'nadia',
  'omar',
  'pia',
  'quinn',
  'rosa',
  'sami',
  'tove',
]
const CITIES: readonly string[] = [
  'oslo',
  'lima',
  'kyoto',
  'accra',
  'delhi',
  'porto',
  'quito',
  'turin',
  'perth',
  'cork',
]

/** `count` different user ids, at most 200. */
export function createDemoIds(count: number): string[] {
  return CITIES.flatMap((city) => NAMES.map((name) => `${name}@${city}`)).slice(0, count)
}

export const DEMO_QUESTIONS: readonly string[] = [
  'Good morning. What did we talk about last time?',
  'I could not sleep again.',
  'Tell me something I do not know about tides.',
  'Should I call my sister today?',
  'Plan me a quiet evening.',
  'I passed the exam!',
]
export const DEMO_ACTIONS: readonly string[] = [
  'opened the journal',
  'finished a lesson',
  'set a reminder',
  'took a walk',
]
export const DEMO_NOTES: readonly string[] = [
  'Asked for fewer messages in the evening.',
  'Referred to a human colleague.',
  'Looks better than last week.',
]
