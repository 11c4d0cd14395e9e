/** A profile field with a fixed line in the prompt, even if the profile has no value for it. */
export interface ProfileField {
  /** Names in the profile; the first one with a value is used. */
  readonly names: readonly string[]
  readonly label: string
  /** Text for a missing value. */
  readonly missing: string
  /** How the model should use the field. */
  readonly explanation: string
}

export interface ProfileTemplate {
  readonly head: string
  readonly separator: string
  readonly tail: string
  readonly fields: readonly ProfileField[]
  /** Whether each line ends with its explanation, in brackets. */
  readonly hasExplanations: boolean
}

const BASIC_FIELDS: readonly ProfileField[] = [
  {
    names: ['name', 'display_name', 'username'],
    label: 'user_name',
    missing: 'User',
    explanation: 'what to call the user, where a name helps and not in every reply',
  },
  {
    names: ['gender'],
    label: 'gender',
    missing: 'not specified',
    explanation: 'for the right forms of address',
  },
  {
    names: ['preferred_language'],
    label: 'preferred_language',
    missing: 'not specified',
    explanation: 'the language to answer in, unless the user writes in another',
  },
  {
    names: ['dob', 'date_of_birth'],
    label: 'date_of_birth',
    missing: 'not specified',
    explanation: 'to suit the user in age',
  },
]

const DETAIL_FIELDS: readonly ProfileField[] = [
  {
    names: ['english_proficiency'],
    label: 'english_proficiency',
    missing: 'not specified',
    explanation: 'how simple the English should be',
  },
  {
    names: ['created_date'],
    label: 'created_date',
    missing: 'unknown',
    explanation: 'when the user joined',
  },
  {
    names: ['standard'],
    label: 'standard',
    missing: 'not specified',
    explanation: 'the class the user is in',
  },
  {
    names: ['who_pays_for_course'],
    label: 'who_pays_for_course',
    missing: 'not specified',
    explanation: 'who decides about purchases',
  },
]

/** The profile section in each prompt mode. A field of any mode is never repeated among the application's own fields. */
export const PROFILE_TEMPLATES: Readonly<Record<'create' | 'reuse', ProfileTemplate>> = {
  create: {
    head: 'Known about the user:',
    separator: ', ',
    tail: '',
    fields: BASIC_FIELDS,
    hasExplanations: false,
  },
  reuse: {
    head: 'Known about the user (what stands in brackets explains the line):',
    separator: '\n',
    tail: '\nDo not ask the user for any of this unprompted, and never press for personal data. A line that reads "not specified" is simply not known.',
    fields: [...BASIC_FIELDS, ...DETAIL_FIELDS],
    hasExplanations: true,
  },
}

/** Text of the section without a profile, in both modes. */
export const PROFILE_PLACEHOLDERS = {
  empty: 'Nothing is known about this user yet.',
  unavailable: 'The details of the user cannot be looked up at the moment.',
} as const
