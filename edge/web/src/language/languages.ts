// The languages that captions can be read in: the data files of the Python package themselves.
import en from "../../../language/en.json";
import zh from "../../../language/zh.json";
import { Language, type LanguageData } from "./resource";

const DATA: Readonly<Record<string, LanguageData>> = {
  en: en as unknown as LanguageData,
  zh: zh as unknown as LanguageData,
};
const compiled = new Map<string, Language>();

export const LANGUAGES = Object.keys(DATA);

export function language(code: string): Language {
  let found = compiled.get(code);
  if (!found) {
    const data = DATA[code];
    if (!data) throw new Error(`There is no language '${code}'; there is ${LANGUAGES.join(", ")}.`);
    compiled.set(code, (found = new Language(data)));
  }
  return found;
}
