//! Lists in parts, and the headers that lead from one part to the next.

use crate::scenario;
use serde_json::{Value, json};
use testkit::{Http, Response, World};

fn accounts(kb: &Http, count: usize) {
    for n in 1..=count {
        kb.post("/accounts", json!({ "externalKey": format!("b{n}"), "currency": "USD" })).status(201);
    }
}

fn keys(page: &Response) -> Vec<String> {
    let rows: Value = page.json();
    let rows = rows.as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["externalKey"].as_str().unwrap_or_default().to_owned()).collect()
}

fn header<'a>(page: &'a Response, name: &str) -> Option<&'a str> {
    page.header(&format!("X-Killbill-Pagination-{name}"))
}

#[test]
fn pages_follow_each_other() {
    scenario(|world: &World| {
        let kb = world.killbill();
        accounts(&kb, 5);
        accounts(&world.killbill_of(&world.another_tenant()), 2);
        let all = kb.get("/accounts/pagination").status(200);
        assert_eq!(keys(&all), ["b1", "b2", "b3", "b4", "b5"]);
        let shown = |page: &Response| {
            ["CurrentOffset", "NextOffset", "TotalNbRecords", "MaxNbRecords"]
                .map(|name| header(page, name).unwrap_or("-").to_owned())
                .join(" ")
        };
        assert_eq!(shown(&all), "0 - 5 5");
        assert_eq!(header(&all, "NextPageUri"), None);
        let first =
            kb.get("/accounts/pagination?limit=2&accountWithBalance=true&audit=full&foo=bar").status(200);
        assert_eq!(shown(&first), "0 2 5 5");
        let uri = "/1.0/kb/accounts/pagination?offset=2&limit=2&accountWithBalance=true&accountWithBalanceAndCBA=false&audit=FULL";
        assert_eq!(header(&first, "NextPageUri"), Some(uri));
        let mut seen = keys(&first);
        let mut page = first;
        while let Some(next) = header(&page, "NextPageUri").map(str::to_owned) {
            page = kb.get(next.trim_start_matches("/1.0/kb")).status(200);
            assert_eq!(page.json()[0]["accountBalance"].to_string(), "0");
            assert_eq!(page.json()[0]["auditLogs"].as_array().map(Vec::len), Some(1));
            seen.extend(keys(&page));
        }
        assert_eq!(seen, keys(&all));
        assert_eq!(shown(&page), "4 - 5 5");
    });
}

#[test]
fn edges_of_a_list() {
    scenario(|world: &World| {
        let kb = world.killbill();
        accounts(&kb, 5);
        let page = |query: &str| kb.get(format!("/accounts/pagination?{query}")).status(200);
        assert_eq!(header(&page("limit=5"), "NextOffset"), None);
        assert_eq!(header(&page("limit=4"), "NextOffset"), Some("4"));
        let newest = page("limit=-2");
        assert_eq!(keys(&newest), ["b5", "b4"]);
        assert!(header(&newest, "NextPageUri").is_some_and(|uri| uri.contains("offset=2&limit=-2&")));
        assert_eq!(keys(&page("limit=-2&offset=2")), ["b3", "b2"]);
        for beyond in ["offset=5", "offset=50", "offset=9223372036854775807"] {
            let page = page(beyond);
            assert_eq!((keys(&page).len(), header(&page, "NextOffset")), (0, None), "{beyond}");
            assert_eq!(header(&page, "TotalNbRecords"), Some("5"));
        }
        assert_eq!(keys(&page("limit=9223372036854775807&offset=2")).len(), 3);
        assert_eq!(keys(&page("limit=-9223372036854775808")).len(), 5);
        assert_eq!(keys(&page("offset=&limit=")).len(), 5);
        let nothing = page("limit=0");
        assert_eq!((keys(&nothing).len(), header(&nothing, "NextPageUri")), (0, None));
        for wrong in ["limit=x", "offset=x", "limit=1.5", "limit=92233720368547758070", "audit=SOME"] {
            kb.get(format!("/accounts/pagination?{wrong}")).status(404);
        }
        kb.get("/accounts/pagination?offset=-1").status(400);
    });
}
