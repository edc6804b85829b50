"""The words of the completeness report, in every language it is written in.

Rule: words only, and wording graded by what is provable (imap reference, 4.3): a gap in
the numbers of a mailbox is a suspicion, never a proof, and its absence proves nothing.
"""

from __future__ import annotations

from enum import Enum


class Language(Enum):
    """What a report is written in."""

    ENGLISH = "en"
    GERMAN = "de"


WORDS: dict[Language, dict[str, str]] = {
    Language.ENGLISH: {
        "title": "Completeness report",
        "period": "{since} to {before} (UTC)",
        "made": "made at {at} by journal-collector {version}",
        "summary": "At a glance",
        "ok": "ok",
        "look": "look",
        "balance": "Account",
        "balanced": "{before} waiting before + {seen} seen - {gone} gone - {void} void - "
        "{archived} archived = {waiting} waiting; nothing unexplained",
        "unbalanced": "{before} waiting before + {seen} seen - {gone} gone - {void} void - "
        "{archived} archived = {waiting} waiting; unexplained: {named}",
        "places": "Of those archived",
        "placed": "{archived} archived = {expunged} deleted + {vanished} vanished + {superseded} "
        "superseded + {in_mailbox} in the mailbox; difference {difference}",
        "aside": "Set aside now",
        "aside_text": "{set_aside} messages that the server does not hand over; {still_asked} "
        "archived that the mailbox does not let go",
        "quarantine": "Quarantined",
        "quarantine_text": "{quarantined} archived, but not understood; {duplicates} duplicates",
        "gone": "Removed by others",
        "gone_none": "no sign of it",
        "gone_text": "{gone} seen and not archived yet, {gaps} numbers never seen, {vanished} "
        "archived",
        "exposed": "Arrival to proof",
        "exposed_text": "median {median}, 99 % within {p99}, longest {max} ({count} messages)",
        "exposed_none": "no message with both",
        "silence": "Longest silence",
        "silence_text": "{span} without a new message: {mailbox}, {since} to {until}",
        "silence_none": "no message in this period",
        "outages": "Outages",
        "outages_none": "none",
        "outages_text": "{count}, longest {span}",
        "log": "Log",
        "log_text": "{leaves} leaves, {checkpoints} checkpoints, the newest over {newest_leaves}; "
        "{stamped} with a time stamp",
        "stamps": "Time stamps",
        "stamps_text": "since the first day: {late} came late, {broken} do not verify, {missing} "
        "checkpoints are dated by none; {anchored} checkpoints were copied elsewhere",
        "stamps_head": "what | details",
        "verified": "Last full verification",
        "verified_text": "{at}, {broken} broken",
        "verified_otherwise": ", {count} read otherwise now than when they came",
        "verified_outside": " (not within this period)",
        "unverified": "none",
        "days": "By day and mailbox",
        "days_head": "day | mailbox | seen | gone | void | archived | dupl. | quar. | aside | "
        "waiting | deleted | vanished | superseded | in mailbox | median | 99 % | longest",
        "sum": "sum",
        "days_note": "seen: listed for the first time. gone: deleted by somebody else before it "
        "was archived. void: waited when the mailbox was renumbered or restored, and was seen "
        "again. waiting: seen and not archived at the end of the day. dupl.: bytes the archive "
        "held already. quar.: archived, but not understood. aside: not handed over by the "
        "server, for the first time. deleted: by the collector, after the proof. vanished: "
        "deleted by somebody else after it was archived. superseded: its number became void. "
        "Times: from arrival to proof.",
        "custody": "What others did to the mailbox",
        "custody_head": "between | mailbox | numbers | count | what is known",
        "custody_none": "nothing was noticed",
        "outage_head": "mailbox | from | to | length | why",
        "reason_failed": "the server could not be reached, or refused: {error}",
        "reason_stopped": "the service was stopped",
        "reason_unknown": "the service was not running, or the machine stood still; nothing was "
        "written down",
        "still": "still",
        "trouble": "Trouble on this side",
        "trouble_head": "at | what | details",
        "acts": "Who did what",
        "acts_head": "act | who | how often",
        "none": "none",
        "cut": "There is more than is shown here: see the JSON form for a shorter period.",
        "more": "… and {count} more; see the JSON form",
        "gap_expunged": "came and was removed between two polls: the server says so",
        "gap_unaccounted_no": "a number was given out and no message of it was ever seen. On this "
        "kind of server ({server}) numbers are not skipped: probably removed between two polls",
        "gap_unaccounted_yes": "a number was given out and no message of it was ever seen. On this "
        "kind of server ({server}) that is ordinary: changed items get new numbers",
        "gap_unaccounted_unknown": "a number was given out and no message of it was ever seen; "
        "whether this server ever skips numbers is not known",
        "gone_expunged": "listed, then deleted by another client before it could be collected: the "
        "server says so",
        "gone_unlisted": "listed, then no longer listed, before it could be collected",
        "vanished": "archived, then deleted by somebody else: the archived copy is complete",
        "mailbox.renumbered": "mailbox replaced or migrated: all is collected again, accounting "
        "starts again",
        "mailbox.restored": "mailbox restored from a backup: accounting starts again",
        "message.replaced": "a number names another message than the archived one",
        "message.flagged": "somebody else set flags ({flags}): another client, or a rule of the "
        "server, works in this mailbox",
        "archive.exported": "messages exported",
        "archive.listed": "archive listed or searched",
        "archive.verified": "archive verified",
        "backfill.finished": "older mail collected: finished",
        "backfill.started": "older mail collected: started",
        "collect.finished": "mailboxes emptied once",
        "config.changed": "settings changed",
        "ledger.rebuilt": "ledger made anew from the segments",
        "log.key_changed": "signing key changed",
        "message.viewed": "message looked at",
        "proof.written": "proof of a message written out",
        "report.written": "report made",
        "service.started": "service started",
        "service.stopped": "service stopped",
        "archive.recovered": "segments had an end that was not committed",
        "checkpoints.thinned": "old checkpoints that nobody outside holds removed",
        "clock.jumped": "clock was set",
        "custody.broken": "stored bytes were not as recorded",
        "limits": "What this report cannot show",
        "limits_text": "Mail that never reached the journal mailbox: evidence begins there. | What "
        "was removed from the mailbox before it had a number, or below IMAP. | That every "
        "message of the organisation is in the journal: compare with the mail server's own log. "
        "| The exchange of the whole archive, unless checkpoints are kept elsewhere and "
        "compared. | Acts of people who copied or changed files without this program. | Days are "
        "UTC. For messages archived before a ledger was made anew (see Who did what: "
        "ledger.rebuilt), seen is taken from archived. | This report measures; it certifies "
        "nothing.",
        "signature": "Place, date, signature",
    },
    Language.GERMAN: {
        "title": "Vollständigkeitsbericht",
        "period": "{since} bis {before} (UTC)",
        "made": "erstellt am {at} mit journal-collector {version}",
        "summary": "Auf einen Blick",
        "ok": "gut",
        "look": "prüfen",
        "balance": "Rechnung",
        "balanced": "{before} vorher wartend + {seen} gesehen - {gone} entfernt - {void} hinfällig "
        "- {archived} archiviert = {waiting} wartend; nichts ungeklärt",
        "unbalanced": "{before} vorher wartend + {seen} gesehen - {gone} entfernt - {void} "
        "hinfällig - {archived} archiviert = {waiting} wartend; ungeklärt: {named}",
        "places": "Davon archiviert",
        "placed": "{archived} archiviert = {expunged} gelöscht + {vanished} verschwunden + "
        "{superseded} ersetzt + {in_mailbox} im Postfach; Differenz {difference}",
        "aside": "Jetzt zurückgestellt",
        "aside_text": "{set_aside} Nachrichten, die der Server nicht herausgibt; {still_asked} "
        "archivierte, die das Postfach nicht loslässt",
        "quarantine": "In Quarantäne",
        "quarantine_text": "{quarantined} archiviert, aber nicht verstanden; {duplicates} doppelt",
        "gone": "Von anderen entfernt",
        "gone_none": "kein Anzeichen dafür",
        "gone_text": "{gone} gesehen und noch nicht archiviert, {gaps} Nummern nie gesehen, "
        "{vanished} archiviert",
        "exposed": "Eingang bis Beweis",
        "exposed_text": "Median {median}, 99 % binnen {p99}, am längsten {max} ({count} "
        "Nachrichten)",
        "exposed_none": "keine Nachricht mit beidem",
        "silence": "Längste Stille",
        "silence_text": "{span} ohne neue Nachricht: {mailbox}, {since} bis {until}",
        "silence_none": "keine Nachricht in diesem Zeitraum",
        "outages": "Ausfälle",
        "outages_none": "keine",
        "outages_text": "{count}, am längsten {span}",
        "log": "Protokoll",
        "log_text": "{leaves} Blätter, {checkpoints} Prüfpunkte, der neueste über {newest_leaves}; "
        "{stamped} mit Zeitstempel",
        "stamps": "Zeitstempel",
        "stamps_text": "seit dem ersten Tag: {late} verspätet, {broken} nicht gültig, {missing} "
        "Prüfpunkte datiert keiner; {anchored} Prüfpunkte liegen auch anderswo",
        "stamps_head": "was | Einzelheiten",
        "verified": "Letzte vollständige Prüfung",
        "verified_text": "{at}, {broken} Fehler",
        "verified_otherwise": ", {count} jetzt anders gelesen als bei der Ankunft",
        "verified_outside": " (nicht in diesem Zeitraum)",
        "unverified": "keine",
        "days": "Nach Tag und Postfach",
        "days_head": "Tag | Postfach | gesehen | entfernt | hinf. | archiviert | doppelt | Quar. | "
        "zurückg. | wartend | gelöscht | verschw. | ersetzt | im Postf. | Median | 99 % | längste",
        "sum": "Summe",
        "days_note": "gesehen: zum ersten Mal gelistet. entfernt: von jemand anderem gelöscht, "
        "bevor es archiviert war. hinf. (hinfällig): wartete, als das Postfach neu nummeriert "
        "oder zurückgespielt wurde, und wurde wieder gesehen. wartend: am Ende des Tages gesehen "
        "und nicht archiviert. doppelt: Bytes, die das Archiv schon hatte. Quar.: archiviert, "
        "aber nicht verstanden. zurückg. (zurückgestellt): vom Server erstmals nicht "
        "herausgegeben. gelöscht: vom Collector, nach dem Beweis. verschw. (verschwunden): nach "
        "der Archivierung von jemand anderem gelöscht. ersetzt: die Nummer wurde hinfällig. "
        "Zeiten: vom Eingang bis zum Beweis.",
        "custody": "Was andere mit dem Postfach taten",
        "custody_head": "zwischen | Postfach | Nummern | Anzahl | was bekannt ist",
        "custody_none": "nichts bemerkt",
        "outage_head": "Postfach | von | bis | Dauer | Grund",
        "reason_failed": "der Server war nicht erreichbar oder lehnte ab: {error}",
        "reason_stopped": "der Dienst war angehalten",
        "reason_unknown": "der Dienst lief nicht oder die Maschine stand; nichts wurde "
        "aufgeschrieben",
        "still": "dauert an",
        "trouble": "Störungen auf dieser Seite",
        "trouble_head": "um | was | Einzelheiten",
        "acts": "Wer was tat",
        "acts_head": "Handlung | wer | wie oft",
        "none": "keine",
        "cut": "Es gibt mehr, als hier steht: siehe die JSON-Form für einen kürzeren Zeitraum.",
        "more": "… und {count} weitere; siehe die JSON-Form",
        "gap_expunged": "kam und wurde zwischen zwei Abfragen entfernt: so sagt es der Server",
        "gap_unaccounted_no": "eine Nummer wurde vergeben, eine Nachricht dazu war nie zu sehen. "
        "Server dieser Art ({server}) überspringen keine Nummern: vermutlich zwischen zwei "
        "Abfragen entfernt",
        "gap_unaccounted_yes": "eine Nummer wurde vergeben, eine Nachricht dazu war nie zu sehen. "
        "Bei Servern dieser Art ({server}) ist das gewöhnlich: geänderte Nachrichten bekommen "
        "neue Nummern",
        "gap_unaccounted_unknown": "eine Nummer wurde vergeben, eine Nachricht dazu war nie zu "
        "sehen; ob dieser Server Nummern überspringt, ist nicht bekannt",
        "gone_expunged": "gelistet, dann von einem anderen Programm gelöscht, bevor es abgeholt "
        "war: so sagt es der Server",
        "gone_unlisted": "gelistet, dann nicht mehr gelistet, bevor es abgeholt war",
        "vanished": "archiviert, dann von jemand anderem gelöscht: die archivierte Fassung ist "
        "vollständig",
        "mailbox.renumbered": "Postfach ersetzt oder umgezogen: alles wird erneut abgeholt, die "
        "Zählung beginnt neu",
        "mailbox.restored": "Postfach aus einer Sicherung zurückgespielt: die Zählung beginnt neu",
        "message.replaced": "eine Nummer bezeichnet eine andere Nachricht als die archivierte",
        "message.flagged": "jemand anderes setzte Markierungen ({flags}): ein anderes Programm "
        "oder eine Regel des Servers arbeitet in diesem Postfach",
        "archive.exported": "Nachrichten ausgeführt",
        "archive.listed": "Archiv aufgelistet oder durchsucht",
        "archive.verified": "Archiv geprüft",
        "backfill.finished": "ältere E-Mails abgeholt: beendet",
        "backfill.started": "ältere E-Mails abgeholt: begonnen",
        "collect.finished": "Postfächer einmal geleert",
        "config.changed": "Einstellungen geändert",
        "ledger.rebuilt": "Verzeichnis aus den Segmenten neu erstellt",
        "log.key_changed": "Signaturschlüssel gewechselt",
        "message.viewed": "Nachricht angesehen",
        "proof.written": "Beweis einer Nachricht herausgegeben",
        "report.written": "Bericht erstellt",
        "service.started": "Dienst gestartet",
        "service.stopped": "Dienst angehalten",
        "archive.recovered": "Segmente hatten ein Ende, das nicht übernommen war",
        "checkpoints.thinned": "alte Prüfpunkte, die niemand außerhalb hat, entfernt",
        "clock.jumped": "Uhr wurde gestellt",
        "custody.broken": "gespeicherte Bytes waren nicht wie aufgeschrieben",
        "limits": "Was dieser Bericht nicht zeigen kann",
        "limits_text": "E-Mails, die das Journalpostfach nie erreichten: der Nachweis beginnt "
        "dort. | Was aus dem Postfach entfernt wurde, bevor es eine Nummer hatte, oder unterhalb "
        "von IMAP. | Dass jede E-Mail des Unternehmens im Journal ist: dazu ist mit den "
        "Protokollen des Mailservers zu vergleichen. | Den Austausch des ganzen Archivs, wenn "
        "Prüfpunkte nicht anderswo liegen und verglichen werden. | Handlungen von Menschen, die "
        "Dateien ohne dieses Programm kopierten oder änderten. | Tage sind UTC. Für Nachrichten, "
        "die vor einer Wiederherstellung des Verzeichnisses archiviert wurden (siehe Wer was "
        "tat: ledger.rebuilt), ist gesehen aus archiviert übernommen. | Dieser Bericht misst; er "
        "bescheinigt nichts.",
        "signature": "Ort, Datum, Unterschrift",
    },
}
