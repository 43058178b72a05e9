/** Whether a message may carry this, whatever its size: a later server may take more. @param {unknown} value */
export function isData(value: unknown): boolean;
/**
 * What keeps the server from taking data, in words, or null.
 *
 * @param {unknown} data
 */
export function dataProblem(data: unknown): string | null;
/**
 * A JSON object.
 */
export type Data = {
    [name: string]: unknown;
};
