import type { Generation } from './values.js';

/** A schema in the form of the [Standard Schema](https://standardschema.dev), version 1. */
export interface StandardSchema<Input, Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) =>
      | { readonly value: Output; readonly issues?: undefined }
      | { readonly issues: readonly { readonly message: string; readonly path?: readonly PropertyKey[] }[] };
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/**
 * Reads a generation from its JSON, as a queue or a request of your own has it: `createdAt` is a `Date` again. For
 * every library that takes a Standard Schema.
 *
 * @example
 * const result = generationSchema['~standard'].validate(JSON.parse(stored));
 * if (!result.issues) await client.responses.download(result.value, 'cat.mp4');
 */
export const generationSchema: StandardSchema<unknown, Generation>;
