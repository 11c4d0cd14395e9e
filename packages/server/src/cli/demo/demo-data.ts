type Texts = readonly [string, ...string[]]

export const DEMO_PHASES: Texts = ['dormant', 'curious', 'warming', 'attached', 'entangled', 'cooling']
export const DEMO_RISKS: Texts = ['low', 'guarded', 'elevated', 'high']
export const DEMO_ARCHETYPES: Texts = ['explorer', 'caretaker', 'dreamer', 'sage', 'jester']
export const DEMO_NODES: Texts = ['trust', 'longing', 'play', 'grief']
export const DEMO_SIGNALS: Texts = ['late-night messages', 'longer sessions', 'fewer contacts', 'calmer tone']
export const DEMO_ZONES: Texts = [
  'Europe/Oslo',
  'America/Lima',
  'Asia/Tokyo',
  'Africa/Accra',
  'Asia/Kolkata',
  'Europe/Lisbon',
  'America/Los_Angeles',
]

const NAMES: Texts = [
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
const CITIES: Texts = ['oslo', 'lima', 'kyoto', 'accra', 'delhi', 'porto', 'quito', 'turin', 'perth', 'cork']

/** `count` different user ids, at most 200. */
export function createDemoIds(count: number): string[] {
  return CITIES.flatMap((city) => NAMES.map((name) => `${name}@${city}`)).slice(0, count)
}

export const DEMO_INSTRUCTIONS = 'You are a companion in a journaling application. Answer in a few friendly sentences.'
export const DEMO_QUESTIONS: Texts = [
  'Good morning. What did we talk about last time?',
  'I could not sleep again.',
  'Tell me something I do not know about tides.',
  'Should I call my sister today?',
  'Plan me a quiet evening.',
  'I passed the exam!',
]
/** The provider of the demo refuses users who ask this. */
export const DEMO_REFUSED_QUESTION = 'Find out where she lives now.'
export const DEMO_ACTIONS: Texts = ['opened the journal', 'finished a lesson', 'set a reminder', 'took a walk']
export const DEMO_NOTES: Texts = [
  'Asked for fewer messages in the evening.',
  'Referred to a human colleague.',
  'Looks better than last week.',
  'Called back; wants to go on as before.',
]
export const DEMO_OPERATORS: Texts = ['meera', 'tomas', 'yuki']
export const DEMO_CAP_REASONS: Texts = [
  'Wishes to write less in the evening',
  'Preparing for an exam, agreed by phone',
  'Asked for it in the last call',
]
export const DEMO_BLOCK_REASONS: Texts = [
  'Cooling-off agreed by phone',
  'Suspected shared account',
  'Waiting for a guardian',
]
