/** What answers ask of a driver. */
export type AnswerStore = {}
