import { z } from 'zod'
import { configSchema } from './schema.ts'

/** The JSON Schema of a configuration file, with which editors complete and check it. */
export function createConfigJsonSchema(): object {
  return z.toJSONSchema(configSchema, {
    unrepresentable: 'any',
    io: 'input',
    override({ jsonSchema }) {
      // Comments are allowed wherever options are.
      if (jsonSchema.additionalProperties === false) jsonSchema.patternProperties = { '^//': {} }
    },
  })
}
