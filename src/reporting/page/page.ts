// A report as one HTML page: the answer first, then what it rests on, and at the end every setting and where it all comes from.

import type { Breakdown } from '../breakdown.ts';
import type { ReportData, ReportGroup } from '../report-data.ts';
import { type Html, html } from './html.ts';
import { htmlDocument, type Section, showSection } from './page-parts.ts';
import { alarmsSection } from './sections/alarms-section.ts';
import { answer, basis } from './sections/answer.ts';
import { generalBadges, groupBadges, showBadges } from './sections/badges.ts';
import { breakdownSections } from './sections/breakdown-sections.ts';
import { certificateSection } from './sections/certificate-section.ts';
import { corruptionSection } from './sections/corruption-section.ts';
import { costSection } from './sections/cost-section.ts';
import { coefficientSection, epochsSection, learningSection } from './sections/curve-sections.ts';
import { epsilonSection } from './sections/epsilon-section.ts';
import { gallerySection } from './sections/gallery-section.ts';
import { differencesSection, firstScreen, groupTitle, overview } from './sections/headline.ts';
import { leaderboardSection } from './sections/leaderboard.ts';
import { configurationSection, leftOutSection, resultsSection } from './sections/result-sections.ts';
import { severalNormsSection } from './sections/several-norms-section.ts';
import { footer, type Origin, sourcesSection } from './sections/sources-section.ts';
import { attacksSection, runTiles } from './single-run.ts';

export type { Origin } from './sections/sources-section.ts';

/** A report as one HTML page that needs nothing beside itself: no font, no request, and no script to be complete. */
export const renderPage = async (data: ReportData, origin: Origin = {}): Promise<string> =>
  htmlDocument(data.title, await renderBody(data, origin));

/** The content of the page's body. */
export async function renderBody(data: ReportData, origin: Origin = {}): Promise<Html> {
  const parts = await Promise.all(
    data.groups.map(async (group, i) => {
      const id = i === 0 ? '' : `-${i + 1}`;
      const sections = await sectionsOf(group, i === 0 ? data.breakdown : null);
      return { group, id, sections: sections.map((section) => ({ ...section, id: section.id + id })) };
    }),
  );
  const several = parts.length > 1;
  const common = [leftOutSection(data), configurationSection(data), sourcesSection(data, origin)].filter(
    (section) => section !== null,
  );
  const link = ({ id, title }: Pick<Section, 'id' | 'title'>): Html => html`<li><a href="#${id}">${title}</a></li>`;
  const groupId = (id: string) => `group${id || '-1'}`;
  return html`<div class="layout">
<nav aria-label="Contents"><ul>${parts.map(({ group, id, sections }) =>
    several
      ? html`<li><a href="#${groupId(id)}">${groupTitle(group)}</a><ul>${sections.map(link)}</ul></li>`
      : sections.map(link),
  )}${common.map(link)}</ul></nav>
<main>
<header>
<h1>${data.title}</h1>
${several ? html`<p class="basis">${overview(data)}</p>` : null}
${parts.map(({ group, id }) =>
  several
    ? html`<p class="answer"><a class="about" href="#${groupId(id)}">${groupTitle(group)}</a> ${answer(group)}</p>`
    : html`<p class="answer">${answer(group)}</p>\n<p class="basis">${basis(group)}</p>`,
)}
${firstScreen(data)}
${showBadges([...parts.flatMap(({ group, id }) => (several ? [] : groupBadges(group, id))), ...generalBadges(data)])}
</header>
${parts.map(({ group, id, sections }) => [
  several &&
    html`<div class="group"><h2 id="${groupId(id)}" class="group-title">${groupTitle(group)}</h2>
<p class="basis">${basis(group)}</p>
${showBadges(groupBadges(group, id))}</div>`,
  group.runs.length === 1 && runTiles(group),
  sections.map(showSection),
])}
${common.map(showSection)}
<footer>${footer(data)}</footer>
</main>
</div>`;
}

/** What a group of runs shows, section by section; a single run is shown in its own way. */
async function sectionsOf(group: ReportGroup, breakdown: Breakdown | null): Promise<Section[]> {
  const sections =
    group.runs.length === 1
      ? [
          attacksSection(group),
          await epsilonSection(group),
          ...breakdownSections(breakdown),
          gallerySection(group),
          await learningSection(group),
          await coefficientSection(group),
          severalNormsSection(group),
          corruptionSection(group),
          await certificateSection(group),
          alarmsSection(group),
          resultsSection(group),
        ]
      : [
          await costSection(group),
          leaderboardSection(group) ?? notEvaluated(group),
          differencesSection(group),
          gallerySection(group),
          await epsilonSection(group),
          await learningSection(group),
          await epochsSection(group),
          await coefficientSection(group),
          severalNormsSection(group),
          corruptionSection(group),
          await certificateSection(group),
          resultsSection(group),
          alarmsSection(group),
        ];
  return sections.filter((section) => section !== null);
}

const notEvaluated = ({ threat }: ReportGroup): Section => ({
  id: 'leaderboard',
  title: 'Leaderboard',
  body:
    threat === null
      ? html`<p class="note">None of these runs was evaluated yet. Do so with <code>equipoise evaluate RUN</code> and make the report again.</p>`
      : html`<p class="note">No complete run of these was evaluated, so there is nothing to compare.</p>`,
});
