# docs/monitoring: the alert rules fire when they should and else do not, every
# query of the dashboard has a result in a Prometheus that scrapes nginx, the
# JSON log has all variables and is JSON whatever a client sends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use HTTP::Tiny;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;

my $dir = "$Test::IM::ROOT/docs/monitoring";
my $json = JSON::PP->new->utf8->allow_nonref;

my $found = grep { -x "$_/prometheus" } split /:/, $ENV{PATH};
plan skip_all => 'prometheus is not installed'
    if !$found && ($ENV{CI} // '') ne 'true';
ok($found, 'prometheus is installed') or die;

my $t = Test::IM->new(workers => 2,
    conf_http => "    include $dir/log.conf;",
    conf_im => '            access_log {{dir}}/im.json.log im_json;',
    conf_server => '        location = /im_status { im_status; }')->start;


# --- Prometheus, with the configuration of the documentation

my $port = Test::IM::free_port();
my $conf = slurp("$dir/prometheus.yml");

for (
    [ qr{/etc/prometheus/im-alerts\.yml} => "$dir/alerts.yml" ],
    [ qr/127\.0\.0\.1:80/ => '127.0.0.1:' . $t->port ],
    [ qr/scrape_interval: 15s/ => 'scrape_interval: 500ms' ],
    [ qr/^rule_files:/m => "global: { evaluation_interval: 500ms }\n\nrule_files:" ],
) {
    my ($from, $to) = @$_;
    $conf =~ s/$from/$to/ or fail("prometheus.yml has no $from");
}

my $prometheus = $t->spawn('prometheus.out', 'prometheus',
    '--config.file=' . $t->write_file('prometheus.yml', $conf),
    '--storage.tsdb.path=' . $t->dir . '/tsdb',
    "--web.listen-address=127.0.0.1:$port");

END { kill KILL => -$prometheus if $prometheus && $$ == $t->{owner} }


# --- the log

my %trace = (
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' => 1,
    'cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more' => 1,
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more' => 0,
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' => 0,
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01' => 0,
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01' => 0,
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01' => 0,
    "\xff\"\\" => 0,
);
my @trace = sort keys %trace;
my $sent = 0;

for my $trace (@trace) {
    $t->post('/im/send/msg', body('ann', 'bob', 'hi'),
             headers => [ "traceparent: $trace" ]);
    $sent++;
}

my @lines;
ok($t->poll(5, sub { @lines = log_lines('im.json.log'); @lines == $sent }),
   'a line for each request');

for my $i (0 .. $#trace) {
    my @ids = (split /-/, $trace[$i])[1, 2];
    is_deeply([ @{ $lines[$i] }{qw(trace_id parent_id)} ],
              $trace{ $trace[$i] } ? \@ids : [ '', '' ],
              'the trace of ' . JSON::PP->new->ascii->allow_nonref
                                ->encode($trace[$i]));
}

my $line = $lines[0];
is($line->{im_call}, 'send', 'im_call');
is($line->{im_code}, 'ok', 'im_code');
is($line->{im_from_id}, 'ann', 'im_from_id');
like($line->{im_conv_id}, qr/^[0-9a-f]{24}$/, 'im_conv_id');
is($line->{status}, 200, 'status');
like((split /\n/, slurp($t->dir . '/im.json.log'))[0],
     qr/"im_store_time":\d+\.\d+,"im_store_commands":[1-9]\d*\}/,
     'im_store_time and im_store_commands are numbers');

for my $name (slurp("$Test::IM::ROOT/src/http/ngx_http_im_variable.c")
              =~ /\{ ngx_string\("(im_\w+)"\)/g)
{
    ok(exists $line->{$name}, "\$$name is in the log");
}

# what a client makes up is JSON, too

for my $request (
    bytes('/im/send/msg', "{\"from_id\":\"\xff\xfe\",\"msg\":\"x\"}"),
    bytes('/im/send/msg', '{"from_id":"a\"\u0001\\\\b","to_id":"c","msg":"x"}'),
    bytes("/im/conv/\xff\"\x80", {}), bytes('/im/%ff%00%22', {}),
    bytes('/im/no/such', '', "traceparent: \xff", 'User-Agent: "\\'),
    "GET /im/conv/list HTTP/1.0\r\n\r\n",
) {
    my $conn = $t->connect;
    $conn->send($request =~ s/(?=\r\n\r\n)/\r\nConnection: close/r);
    $conn->read_response;
    $sent++ if $request !~ /%00/;       # nginx refuses it, without a location
}

ok($t->poll(5, sub { @lines = log_lines('im.json.log'); @lines == $sent }),
   'each is a line of JSON') or diag(scalar @lines);
is($lines[-1]{im_store_time}, undef, 'null where Redis was not used');

# rotation, as logrotate does it

rename $t->dir . '/im.json.log', $t->dir . '/im.json.log.1' or die;
$t->post('/im/unread', { from_id => 'bob' });
kill USR1 => $t->master_pid;
ok($t->poll(5, sub {
    $t->post('/im/unread', { from_id => 'bob' });
    $sent++;
    return log_lines('im.json.log');
}), 'the log is reopened');
ok($t->poll(5, sub {
    log_lines('im.json.log') + log_lines('im.json.log.1') == $sent + 1
}), 'no line is lost');


# --- promtool

my $out = $t->run('promtool', 'check', 'rules', "$dir/alerts.yml");
is($?, 0, 'promtool accepts the rules') or diag($out);

my $labels = 'job="im",instance="a",store="main"';
my $up = "im_store_connected{$labels,worker=\"0\"}";
my $configured = "im_store_connections{$labels,worker=\"0\"}";
my %well = (
    'up{job="im",instance="a"}' => '1x300', $up => '1x300',
    $configured => '1x300', 'im_workers_leaving{job="im",instance="a"}' => '0x300',
    'im_profile_cache_evictions_total{job="im",instance="a"}' => '0x300',
    'im_requests_total{job="im",instance="a",call="send",code="ok"}' => '0+1000x300',
    'im_requests_total{job="im",instance="a",call="send",code="store_error"}' => '0+1x300',
    "im_store_waiting_bytes{$labels,worker=\"0\"}" => '1000x300',
    "im_store_round_trip_seconds_bucket{$labels,le=\"0.01\"}" => '0+100x300',
    "im_store_round_trip_seconds_bucket{$labels,le=\"0.25\"}" => '0+100x300',
    "im_store_round_trip_seconds_bucket{$labels,le=\"+Inf\"}" => '0+100x300',
    map({ ("im_store_${_}_total{$labels}" => '0x300') }
        qw(refused_commands outcome_unknown overloads disconnects)),
);

# alert, severity, minutes until it fires, a time when it does not yet, what is
# other than %well

my @fires = (
    [ 'ImStatusMissing', 'page', 3, '30s', 'up{job="im",instance="a"}' => '0x300' ],
    [ 'ImStoreDown', 'page', 2, '0s', $up => '0x300' ],
    [ 'ImErrors', 'page', 9, '1m',
      'im_requests_total{job="im",instance="a",call="send",code="store_error"}'
      => '0+20x300' ],
    [ 'ImStoreRefuses', 'page', 5, '1m',
      "im_store_refused_commands_total{$labels}" => '0+1x300' ],
    [ 'ImOutcomeUnknown', 'ticket', 5, '0s',
      "im_store_outcome_unknown_total{$labels}" => '0 0 1x300' ],
    [ 'ImStoreSlow', 'ticket', 12, '3m',
      "im_store_round_trip_seconds_bucket{$labels,le=\"0.01\"}" => '0+90x300' ],
    [ 'ImStoreQueue', 'ticket', 3, '30s',
      "im_store_waiting_bytes{$labels,worker=\"0\"}" => '2e7x300' ],
    [ 'ImOverload', 'ticket', 5, '0s', "im_store_overloads_total{$labels}" => '0+1x300' ],
    [ 'ImReconnects', 'ticket', 12, '2m', "im_store_disconnects_total{$labels}" => '0+1x300' ],
    [ 'ImWorkersLeaving', 'ticket', 62, '59m',
      'im_workers_leaving{job="im",instance="a"}' => '1x300' ],
    [ 'ImCacheSmall', 'ticket', 70, '50m',
      'im_profile_cache_evictions_total{job="im",instance="a"}' => '0+120x300' ],
);

my @alerts = slurp("$dir/alerts.yml") =~ /^  - alert: (\w+)$/mg;
is_deeply([ map { $_->[0] } @fires ], \@alerts, 'every alert is tried');

my $firing = 'count by (alertname, severity) (ALERTS{alertstate="firing"})';
my $tests = $json->encode({
    rule_files => [ "$dir/alerts.yml" ], evaluation_interval => '30s',
    tests => [
        series(\%well, [ '0s', '5m', '30m', '2h' ]),
        map {
            my ($name, $severity, $minutes, $before, %more) = @$_;
            series({ %well, %more }, [ $before ], "${minutes}m" => {
                labels => "{alertname=\"$name\",severity=\"$severity\"}",
                value => 1 });
        } @fires,
    ] });

$out = $t->run('promtool', 'test', 'rules', $t->write_file('rules.yml', $tests));
is($?, 0, 'each alert fires when it should, and no other') or diag($out);


# --- the dashboard

my $board = $json->decode(slurp("$dir/dashboard.json"));
my @panels = grep { $_->{type} ne 'row' } @{ $board->{panels} };
cmp_ok(@panels, '>=', 10, 'the dashboard has panels');

my (%id, %cell);
for my $p (@{ $board->{panels} }) {
    my ($x, $y, $w, $h) = @{ $p->{gridPos} }{qw(x y w h)};
    ok(!$id{ $p->{id} }++, "$p->{title}: an id of its own");
    ok($x + $w <= 24 && !(grep { $_ } map { my $i = $_;
        map { $cell{"$i $_"}++ } $y .. $y + $h - 1 } $x .. $x + $w - 1),
       "$p->{title}: a place of its own");
}

my @query = map { my $p = $_;
    map { [ "$p->{title} ($_->{refId})", $_->{expr} ] } @{ $p->{targets} } } @panels;

for (@query) {
    $_->[1] =~ s/\$__rate_interval\b/10s/g;
    $_->[1] =~ s/\$job\b/im/g;
    $_->[1] =~ s/\$(?:instance|store)\b/.*/g;
    unlike($_->[1], qr/\$/, "$_->[0]: no other variable");
}

# with traffic all along, among it a refused call and profiles

my $bad = '';
my @open = @query;
ok($t->poll(30, sub {
    $t->post('/im/send/msg', body('ann', 'bob', 'hi')) for 1 .. 5;
    $t->post('/im/send/msg', {});
    $t->post('/im/conv/list', { from_id => 'bob' });
    $t->post('/im/from/to', { from_id => 'bob', to_id => 'ann' });
    sleep 0.1;
    my $q = $open[0];
    my @values = query($q->[1]);
    $bad = "$q->[0]: $q->[1]: @values";
    return if !@values || grep { !/^-?[\d.]+(?:e-?\d+)?\z/ } @values;
    shift @open;
    return !@open;
}), 'every query has a result') or diag("$bad\n" . slurp($t->dir . '/prometheus.out'));

is(scalar query('up{job="im"} == 1'), 1, 'the scrapes succeed');

my $metrics = $t->get('/im_status?format=prometheus')->body;
my %metric = map { $_ => 1 } $metrics =~ /^(im_\w+)/mg;

for my $v (@{ $board->{templating}{list} }) {
    next if $v->{type} ne 'query';
    my ($metric, $label) = $v->{definition} =~ /^label_values\((im_\w+)[^()]*, (\w+)\)$/;
    ok($metric && $metric{$metric}, "the variable $v->{name}");
    ok($label && query("$metric\{$label!=\"\"}"), 'and its values');
}

for my $expr (slurp("$dir/alerts.yml") =~ /^    expr: (.*?)(?=^    \w)/msg) {
    ok($metric{$_}, "$_ of an alert is exported") for $expr =~ /\b(im_\w+)/g;
}


# --- an alert, live

is(scalar query('ALERTS'), 0, 'no alert while all is well');
$t->stop_redis('KILL');
ok($t->poll(15, sub {
    sleep 0.1;
    return query('ALERTS{alertname="ImStoreDown",severity="page"}');
}), 'ImStoreDown when Redis is down');

kill TERM => $prometheus;
ok($t->poll(10, sub { !$t->running($prometheus) }), 'Prometheus ends')
    and undef $prometheus;

$t->done;
done_testing;


# the lines that are JSON; one that is not is there as undef

sub log_lines {
    return map { scalar eval { $json->decode($_) } }
           split /\n/, slurp($t->dir . "/$_[0]");
}


# a case of promtool: nothing fires at the times of @$quiet, %fires then

sub series {
    my ($series, $quiet, %fires) = @_;
    return {
        interval => '1m',
        input_series => [ map { { series => $_, values => $series->{$_} } }
                          sort keys %$series ],
        promql_expr_test => [
            map({ { expr => $firing, eval_time => $_, exp_samples => [] } } @$quiet),
            map({ { expr => $firing, eval_time => $_,
                    exp_samples => [ $fires{$_} ] } } sort keys %fires),
        ],
    };
}


# values of the samples of an instant query

sub query {
    my $r = HTTP::Tiny->new(timeout => 10 * $Test::IM::SCALE)
        ->post_form("http://127.0.0.1:$port/api/v1/query", { query => $_[0] });
    return if !$r->{success};
    return map { $_->{value}[1] } @{ $json->decode($r->{content})->{data}{result} };
}
