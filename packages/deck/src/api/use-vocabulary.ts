import { useQuery } from '@tanstack/react-query'
import { overviewQuery } from './queries.ts'
import { type Vocabulary, vocabularyOf } from './vocabulary.ts'

/** The words in use, from the overview. */
export function useVocabulary(): Vocabulary {
  return vocabularyOf(useQuery(overviewQuery).data)
}
