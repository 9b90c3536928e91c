//! Every relational door.

use bugbrother_store::{
    Account, AccountChange, AlertEventKind, AlertFilter, ApiTokenRecord, Assignment, AuditEntry, AuditFilter, AuditId,
    AuditObject, CertificateRecord, Channel, ChannelSettings, Client, Contract, ContractFilter, DeliveryFilter,
    DeviceId, Document, DocumentId, Enlisted, Enrolled, Escalation, GeofenceId, GeofenceRecord, Held, Interval,
    Invitation, Language, MaintenanceId, MaintenanceItem, MediaFile, NewDelivery, Posting, Prices, Receipt, ReceiptId,
    Refresh, RefreshHash, Refreshed, Retention, SavedView, Scope, SessionRecord, Sighting, Store, SubjectKind, User,
    VehicleFacts, ViewId, Wishes, Work, WorkId, Zone,
};
use bugbrother_wire::{
    AlertId, ApiTokenId, ChannelId, CommandId, Epoch, MediaId, SCHEMA_VERSION, Seq, SessionId,
    api::{Attention, ChannelKind, DeliveryStep, Preferences, Right, Role},
    message::{Alert, AlertState, Command, MediaKind, Reply, ReplyState, Severity, Shape},
};
use uuid::Uuid;

use crate::{
    fleet::{NOW, fiesta, golf},
    office::{client, contract},
};

/// Goes through every door once, so far that each of its statements is sent.
pub async fn ask(store: &Store) {
    let id = Uuid::from_u128;
    let (taxi, terms) = (client(1, "Taxi"), contract(1, client(1, "Taxi").id));
    store.add_client(&taxi).await.unwrap();
    store.update_client(&taxi).await.unwrap();
    store.client(taxi.id).await.unwrap();
    for archived in [false, true] {
        store.clients("ta", archived, Some(("Taxi", taxi.id)), 10).await.unwrap();
    }
    store.add_contract(&terms).await.unwrap();
    store.update_contract(&terms).await.unwrap();
    store.contract(terms.id).await.unwrap();
    store.contracts(taxi.id, None, 10).await.unwrap();
    let assignment = Assignment { contract: terms.id, vin: golf(), from: NOW, to: None };
    store.assign_vehicle(&assignment, NOW).await.unwrap();
    store.contract_vehicles(terms.id, None, 10).await.unwrap();
    store.vehicle_contracts(golf(), None, 10).await.unwrap();
    store.client_vehicles(taxi.id, NOW, None, 10).await.unwrap();
    store.client_sees(taxi.id, golf(), NOW).await.unwrap();
    store.contract_retention(golf(), NOW).await.unwrap();
    books(store, &taxi, &terms).await;
    store.release_vehicle(terms.id, golf(), NOW + 1).await.unwrap();
    let document = Document {
        id: DocumentId(id(1)),
        contract: terms.id,
        name: "signed.pdf".into(),
        media_type: "application/pdf".into(),
        size: 1,
        sha256: String::new(),
        object_key: String::new(),
        created: NOW,
    };
    store.add_document(&document).await.unwrap();
    store.document(document.id).await.unwrap();
    store.documents(terms.id, None, 10).await.unwrap();
    store.delete_document(document.id).await.unwrap();

    for name in ["ada", "bob"] {
        let user = User { name: name.into(), password_hash: "hash".into(), role: Role::Administrator };
        store.add_user(&user, NOW).await.unwrap();
    }
    store.has_users().await.unwrap();
    store.user("ada").await.unwrap();
    store.set_password_hash("ada", "other", None, NOW).await.unwrap();
    people(store).await;
    let ada = store.account("ada").await.unwrap().unwrap();
    store.accounts(None, 10).await.unwrap();
    store.client_accounts(taxi.id, None, 10).await.unwrap();
    let demoted = Account { role: Role::Operator, ..ada };
    assert_eq!(store.update_account(&demoted, NOW).await.unwrap(), AccountChange::Done);
    store.disable_account("ada", NOW).await.unwrap();
    store.enable_account("ada").await.unwrap();
    store.end_sessions("ada", NOW).await.unwrap();
    store.delete_account("ada", NOW).await.unwrap();
    store.roles(10).await.unwrap();
    store.save_setting(&Retention::default(), None, NOW).await.unwrap();
    store.setting::<Prices>().await.unwrap();
    store.setting_change::<Prices>().await.unwrap();

    let certificate = CertificateRecord {
        serial: "4a".into(),
        vin: golf(),
        key_sha256: "key".into(),
        not_before: NOW,
        not_after: NOW + 1_000_000,
        revoked: None,
        pem: String::new(),
    };
    store.add_enrolment(golf(), "code", NOW, NOW + 1_000).await.unwrap();
    store.enrolment("code", NOW).await.unwrap();
    for _ in 0..2 {
        let done = store.enrol("code", &certificate, NOW).await.unwrap();
        assert_eq!(done, Enrolled::Issued(certificate.clone()));
    }
    let next = CertificateRecord { serial: "4b".into(), key_sha256: "next".into(), ..certificate.clone() };
    store.renew("4a", &next, NOW).await.unwrap();
    store.certificate("4a").await.unwrap();
    store.credentials(None, 10).await.unwrap();
    let device: DeviceId = "box-1".parse().unwrap();
    let sighting = Sighting { id: device.clone(), vin: Some(fiesta()), model: None, agent: None, at: NOW };
    store.see_device(&sighting).await.unwrap();
    store.device(&device).await.unwrap();
    store.devices(None, 10).await.unwrap();
    store.vehicle_devices(fiesta(), 10).await.unwrap();
    store.note_device(&device, Some("note")).await.unwrap();
    store.set_certificate_device("4a", &device).await.unwrap();
    store.device_certificates(&device, 10).await.unwrap();
    store.delete_device(&device).await.unwrap();
    store.revoke(golf(), NOW + 1).await.unwrap();
    store.revoked(NOW + 1).await.unwrap();

    store.name_vehicle(golf(), "Golf", None, NOW).await.unwrap();
    store.vehicle(golf()).await.unwrap();
    store.vehicles(None, 10).await.unwrap();
    store.set_vehicle_facts(golf(), &VehicleFacts::default(), NOW).await.unwrap();
    store.vehicle_facts(golf()).await.unwrap();
    let fence = GeofenceRecord {
        id: GeofenceId(id(1)),
        name: "Depot".into(),
        shape: Shape::Circle { centre: (47.0, 8.0), radius_m: 100.0 },
        client: Some(taxi.id),
        colour: None,
        created: NOW,
        updated: NOW,
    };
    store.save_geofence(&fence).await.unwrap();
    store.geofence(fence.id).await.unwrap();
    store.geofences(None, 10).await.unwrap();
    store.client_geofences(taxi.id, None, 10).await.unwrap();
    store.delete_geofence(fence.id).await.unwrap();
    let command = Command {
        v: SCHEMA_VERSION,
        vin: golf(),
        id: CommandId(id(1)),
        name: "take_photo".into(),
        arguments: [].into(),
        issued: NOW,
        expires: NOW,
        by: "ada".into(),
    };
    store.add_command(&command).await.unwrap();
    let reply = Reply {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(1),
        command: command.id,
        state: ReplyState::Running,
        at: NOW,
        detail: None,
        result: Default::default(),
        text: None,
    };
    assert!(store.advance_command(&reply).await.unwrap());
    store.command(command.id).await.unwrap();
    store.commands(golf(), None, 10).await.unwrap();
    store.open_commands(golf(), None, 10).await.unwrap();
    for vin in [None, Some(golf())] {
        store.unheard_commands(vin, NOW, None, 10).await.unwrap();
    }
    for wishes in [None, Some((&Wishes { privacy: true, ..Wishes::default() }, "ada"))] {
        store.wish(golf(), wishes, Vec::new(), NOW).await.unwrap();
    }
    store.wishes(golf()).await.unwrap();
    store.all_wishes(None, 10).await.unwrap();
    store.diagnostics(golf()).await.unwrap();
    store.birth(golf()).await.unwrap();
    store.media(golf(), 0, NOW, 10).await.unwrap();
    pictures(store).await;
    store.clients_of(golf(), NOW, 10).await.unwrap();
    store.trip(golf(), NOW).await.unwrap();
    store.changed_trips((NOW, None), 10).await.unwrap();

    let alert = Alert {
        v: SCHEMA_VERSION,
        vin: golf(),
        id: AlertId(id(1)),
        rule: "fast".into(),
        title: "Fast".into(),
        severity: Severity::Info,
        state: AlertState::Open,
        opened: NOW,
        updated: NOW,
        resolved: None,
        count: 1,
        value: None,
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: None,
        late: false,
        detail: None,
    };
    for _ in 0..2 {
        store.save_alert(&alert).await.unwrap();
    }
    for vin in [None, Some(golf())] {
        for active in [false, true] {
            let filter = AlertFilter { vin, active, ..AlertFilter::default() };
            store.find_alerts(filter, None, 10).await.unwrap();
        }
    }
    store.alert(alert.id).await.unwrap();
    store.acknowledge_alert(alert.id, "ada", NOW).await.unwrap();
    store.unacknowledge_alert(alert.id, "ada", NOW).await.unwrap();
    store.active_alerts(10).await.unwrap();
    store.alerts(None, 10).await.unwrap();
    store.vehicle_alerts(golf(), None, 10).await.unwrap();
    store.append_alert_event(alert.id, NOW, AlertEventKind::Commented, Some("ada"), None).await.unwrap();
    store.assign_alert(alert.id, Some("ada"), "ada", NOW).await.unwrap();
    store.snooze_alert(alert.id, Some(NOW), "ada", NOW).await.unwrap();
    store.alert_handling(alert.id).await.unwrap();
    store.alert_events(alert.id, 0, 10).await.unwrap();
    let (peers, leases) = store.beat("one").await.unwrap();
    let seen: Vec<_> = leases.iter().map(|lease| (lease.shard, lease.fence)).collect();
    let held = Held { holder: "one".into(), fences: store.take_leases("one", &seen).await.unwrap() };
    let known = Alert { resolved: None, id: AlertId(id(77)), ..alert.clone() };
    store.save_judgement(&held, &[known], &[], NOW).await.unwrap();
    store
        .escalate_alerts(&held, &Escalation { critical_minutes: Some(1), warning_minutes: Some(1) }, i64::MAX / 2)
        .await
        .unwrap();
    store.snooze_alert(alert.id, Some(NOW), "ada", NOW).await.unwrap();
    store.wake_alerts(&held, i64::MAX / 2).await.unwrap();
    store.give_leases(&held, &[1]).await.unwrap();
    store.forget_peer(&peers[0]).await.unwrap();
    store.leave("one").await.unwrap();
    post(store, &alert).await;
    let rules = store.rules().await.unwrap();
    store.save_rule(&rules[0]).await.unwrap();
    store.rule("fast").await.unwrap();
    store.rules_version().await.unwrap();
    store.memories(None, 10).await.unwrap();
    store.alerts_during(golf(), "fast", (NOW, NOW), 10).await.unwrap();
    let found = Alert { late: true, id: AlertId(id(77)), ..alert.clone() };
    store.settle_late(std::slice::from_ref(&found), &[found.id]).await.unwrap();
    store.delete_rule("none").await.unwrap();

    let object = AuditObject { kind: "vehicle".into(), id: golf().to_string() };
    let entry = AuditEntry {
        id: AuditId(id(1)),
        at: NOW,
        who: "ada".into(),
        what: "vehicle_renamed".into(),
        object: Some(object.clone()),
        detail: serde_json::Map::new(),
        address: None,
    };
    store.append_audit(&entry).await.unwrap();
    for who in [None, Some("ada")] {
        for object in [None, Some(&object)] {
            store.audit(AuditFilter { who, object }, None, 10).await.unwrap();
        }
    }
    let receipt = Receipt {
        id: ReceiptId(id(1)),
        at: NOW,
        by: "ada".into(),
        subject_kind: SubjectKind::Vehicle,
        subject_sha256: String::new(),
        erased: [].into(),
        sha256: String::new(),
    };
    store.add_receipt(&receipt).await.unwrap();
    store.receipt(receipt.id).await.unwrap();
    store.receipts(None, 10).await.unwrap();
    store.subject_receipts("", 10).await.unwrap();
    store.delete_contract(terms.id).await.unwrap();
    store.delete_client(taxi.id).await.unwrap();
}

/// How people and their programs come in.
async fn people(store: &Store) {
    let session = SessionRecord {
        id: SessionId(Uuid::from_u128(1)),
        account: "ada".into(),
        is_program: false,
        created: NOW,
        used: NOW,
        expires: NOW + 1_000,
        address: None,
        user_agent: None,
    };
    let hash = RefreshHash { family: "family", token: "one" };
    store.add_session(&session, hash).await.unwrap();
    let refresh = Refresh {
        shown: hash,
        next: "two",
        now: NOW,
        idle_ms: 1_000,
        longest_ms: 2_000,
        grace_ms: 0,
        address: None,
        user_agent: None,
    };
    assert!(matches!(store.refresh_session(&refresh).await.unwrap(), Refreshed::Rotated(_)));
    let late = Refresh { now: NOW + 1, ..refresh };
    assert!(matches!(store.refresh_session(&late).await.unwrap(), Refreshed::Reused(_)));
    store.sessions("ada", NOW, 10).await.unwrap();
    store.end_session("ada", session.id, NOW).await.unwrap();
    store.end_session_of("family", NOW).await.unwrap();
    store.end_other_sessions("ada", None, NOW).await.unwrap();
    store.endings(NOW, 10).await.unwrap();
    let token = ApiTokenRecord {
        id: ApiTokenId(Uuid::from_u128(1)),
        account: "ada".into(),
        label: "Excel".into(),
        rights: vec![Right::Watch],
        created: NOW,
        expires: None,
        used: None,
    };
    assert!(store.add_api_token(&token, "hash").await.unwrap());
    store.show_api_token("hash", NOW).await.unwrap().unwrap();
    store.api_tokens("ada", 10).await.unwrap();
    store.revoke_api_token("ada", token.id, NOW).await.unwrap();
    let invitation = Invitation { account: "ada".into(), created: NOW, expires: NOW + 1, by: "bob".into() };
    for _ in 0..2 {
        assert!(store.invite(&invitation, "hash").await.unwrap());
    }
    store.invitation("hash", NOW).await.unwrap().unwrap();
    store.accept_invitation("hash", "password", NOW).await.unwrap().unwrap();
    store.withdraw_invitation("ada").await.unwrap();
    store.ask_for_password("ada", NOW).await.unwrap();
    assert!(store.propose_second_factor("ada", "secret").await.unwrap());
    let proposed = store.second_factor("ada").await.unwrap().unwrap();
    assert!(store.confirm_second_factor("ada", &proposed, 1, &["code".into()], NOW).await.unwrap());
    store.take_step("ada", 2).await.unwrap();
    store.take_recovery_code("ada", "code").await.unwrap();
    store.recovery_codes_left("ada").await.unwrap();
    assert!(store.replace_recovery_codes("ada", &["code".into()]).await.unwrap());
    store.remove_second_factor("ada").await.unwrap();
    store.set_preferences("ada", &Preferences::default(), Language::En).await.unwrap();
    store.preferences::<Preferences>("ada").await.unwrap();
    store.expire(NOW + 1_000_000_000).await.unwrap();
}

/// The doors of the office's lists.
async fn books(store: &Store, taxi: &Client, terms: &Contract) {
    store.find_clients("ta", false, None, NOW, 10).await.unwrap();
    for filter in [
        ContractFilter::All,
        ContractFilter::Running,
        ContractFilter::Ending(NOW + 1),
        ContractFilter::Ended,
        ContractFilter::Coming,
    ] {
        for client in [None, Some(taxi.id)] {
            store.contract_lines(filter, client, NOW, None, 10).await.unwrap();
        }
    }
    store.contract_fleet(terms.id, None, 10).await.unwrap();
    store.withdraw_vehicle(terms.id, golf(), NOW - 1).await.unwrap();
    store.served_clients(None, 10, NOW).await.unwrap();
    store.roster(None, NOW, None, 10).await.unwrap();
    store.roster(Some(taxi.id), NOW, None, 10).await.unwrap();
    store.roster_entry(golf(), NOW).await.unwrap();
    let enlisted = Enlisted { vin: golf(), name: "Golf".into(), plate: None, facts: VehicleFacts::default() };
    store.enlist(&[enlisted], NOW).await.unwrap();
    store.credential(golf()).await.unwrap();
    let scopes = [(None, None), (Some(golf()), None), (None, Some(taxi.id)), (Some(golf()), Some(taxi.id))];
    for (vin, client) in scopes {
        let scope = Scope { vin, client, seen_at: client.map(|_| NOW) };
        store.statistics((0, NOW), &Zone::UTC, &scope).await.unwrap();
        store.statistics_by_day((0, NOW), &Zone::UTC, &scope).await.unwrap();
        store.statistics_by_vehicle((0, NOW), &Zone::UTC, &scope, 10).await.unwrap();
        store.statistics_by_client((0, NOW), &Zone::UTC, &scope, 10).await.unwrap();
        store.vehicle_count(client, (0, NOW)).await.unwrap();
    }
    store.statistics_of_nobody((0, NOW), &Zone::UTC).await.unwrap();
    let item = MaintenanceItem {
        id: MaintenanceId(Uuid::from_u128(1)),
        vin: golf(),
        title: "Oil".into(),
        interval: Interval { km: Some(1), ..Interval::default() },
        since: NOW,
        since_km: None,
        note: None,
        created: NOW,
        archived: None,
    };
    store.add_maintenance_item(&item).await.unwrap();
    store.update_maintenance_item(&item).await.unwrap();
    store.maintenance_item(item.id).await.unwrap();
    store.vehicle_upkeep(golf()).await.unwrap();
    store.upkeep(None, 10).await.unwrap();
    let work = |n| Work {
        id: WorkId(Uuid::from_u128(n)),
        vin: golf(),
        item: Some(item.id),
        title: "Oil".into(),
        done: NOW,
        odometer_km: None,
        cost: None,
        workshop: None,
        note: None,
        created: NOW,
        by: "ada".into(),
    };
    for n in [1, 2] {
        store.add_work(&work(n)).await.unwrap();
    }
    store.works(golf(), None, 10).await.unwrap();
    store.delete_work(golf(), work(1).id).await.unwrap();
    let user = User { name: "eve".into(), password_hash: "hash".into(), role: Role::Operator };
    store.add_user(&user, NOW).await.unwrap();
    let view = SavedView { id: ViewId(Uuid::from_u128(1)), name: "Mine".into(), query: String::new(), created: NOW };
    store.add_view("eve", "vehicles", &view).await.unwrap();
    store.views("eve", "vehicles", 10).await.unwrap();
    store.update_view("eve", view.id, "Mine", "q=1").await.unwrap();
    store.delete_view("eve", view.id).await.unwrap();
}

/// Channels, and an alert on its way into one.
async fn post(store: &Store, alert: &Alert) {
    let user = User { name: "eve".into(), password_hash: "hash".into(), role: Role::Operator };
    store.add_user(&user, NOW).await.unwrap();
    let fleet = Channel {
        id: ChannelId(Uuid::from_u128(1)),
        account: None,
        kind: ChannelKind::Webhook,
        label: "hook".into(),
        settings: ChannelSettings::default(),
        has_secret: false,
        enabled: true,
        created: NOW,
        failing: None,
    };
    let own = Channel { id: ChannelId(Uuid::from_u128(2)), account: Some("eve".into()), ..fleet.clone() };
    for channel in [&fleet, &own] {
        store.add_channel(channel, None).await.unwrap();
        store.update_channel(channel, None).await.unwrap();
        store.channels(channel.account.as_deref()).await.unwrap();
        store.channel(channel.id).await.unwrap();
        store.channel_secret(channel.id).await.unwrap();
    }
    store.attention("eve").await.unwrap();
    store.save_attention("eve", &Attention::default(), NOW).await.unwrap();
    store.language("eve").await.unwrap();
    store.listeners(None, 10).await.unwrap();
    let delivery = |bundle: Option<&str>| NewDelivery {
        channel: fleet.id,
        step: DeliveryStep::Opened,
        rule: alert.rule.clone(),
        vin: alert.vin,
        bundle: bundle.map(str::to_owned),
        due: NOW,
    };
    let unposted = store.unposted(2).await.unwrap();
    let bundles = [None, Some("storm")];
    let postings = unposted.iter().zip(bundles).map(|(one, bundle)| Posting {
        alert: one.record.alert.id,
        number: one.event.number,
        deliveries: vec![delivery(bundle)],
    });
    assert_eq!(store.post(&postings.collect::<Vec<_>>(), NOW).await.unwrap(), 2);
    store.told(alert.id).await.unwrap();
    store.recent(fleet.id, &alert.rule, DeliveryStep::Opened, NOW - 1, 10).await.unwrap();
    store.due_channels(NOW, 10).await.unwrap();
    for now in [NOW, NOW + 1, NOW + 2] {
        let Some(claim) = store.claim(fleet.id, "me", now, now + 10).await.unwrap() else { continue };
        store.put_off(&claim, "me", "busy", now).await.unwrap();
    }
    let claim = store.claim(fleet.id, "me", NOW + 20, NOW + 30).await.unwrap().unwrap();
    store.give_up(&claim, "me", "no", Some(alert)).await.unwrap();
    store.recover(fleet.id, alert).await.unwrap();
    let claim = store.claim(fleet.id, "me", NOW + 20, NOW + 30).await.unwrap().unwrap();
    store.delivered(&claim, "me", NOW).await.unwrap();
    let test = store.test_channel(fleet.id, NOW).await.unwrap();
    store.delivery(test).await.unwrap();
    for channel in [None, Some(fleet.id)] {
        store.deliveries(DeliveryFilter { channel, state: None }, None, 10).await.unwrap();
    }
    store.delete_channel(None, fleet.id).await.unwrap();
}

async fn pictures(store: &Store) {
    let media = MediaId(Uuid::from_u128(1));
    let file = MediaFile {
        vin: golf(),
        id: media,
        camera: "dash-1".to_owned().try_into().unwrap(),
        kind: MediaKind::Photo,
        bytes: 1,
        sha256: "ab".into(),
        object_key: String::new(),
        cause: None,
        from: None,
        to: None,
        offered: NOW,
        stored: None,
        gone: None,
        thumb_bytes: None,
    };
    store.media_file(golf(), media).await.unwrap();
    store.stale_media(NOW, 10).await.unwrap();
    store.forget_media(golf(), media).await.unwrap();
    store.store_media(golf(), media, &file.sha256, NOW).await.unwrap();
    store.photos_without_thumb(10).await.unwrap();
    store.set_thumb(golf(), media, 1).await.unwrap();
    store.stills(golf(), 0, NOW, 10).await.unwrap();
    store.old_media(NOW, Some((0, golf(), media)), 10).await.unwrap();
    store.let_media_go(golf(), media, NOW).await.unwrap();
    store.has_open_alert(golf(), 0, NOW).await.unwrap();
}
